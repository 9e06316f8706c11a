"""The exact environment of this process, as a lock file."""

import importlib.metadata
import re

LOCK = "requirements.lock"


def environment_lock() -> str:
    """One `name==version` line for each installed distribution, sorted; what pip takes as requirements.

    Examples:
        >>> [line for line in environment_lock().splitlines() if line.startswith("numpy==")] != []
        True
    """
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # a half-removed installation has none
            # The first on the path is the one that is imported.
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))
