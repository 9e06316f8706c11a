"""`$NAME` in the settings' URLs, so that what is secret in them stands in the environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mainspring.errors import SettingsError


class Expansion:
    """Puts `$NAME` and `${NAME}` of the environment into URLs.

    Args:
        file: the name of the settings' file, for errors.
    """

    def __init__(self, environ: Mapping[str, str], file: str) -> None:
        self._environ = environ
        self._file = file

    def text(self, name: str, values: Mapping[str, Any]) -> str | None:
        """Raises `SettingsError` for a name that is not set."""
        value: str | None = values[name]
        if value is None:
            return None

        def replace(found: re.Match[str]) -> str:
            variable = found[1] or found[2]
            if variable not in self._environ:
                raise SettingsError(
                    f"{name} names ${variable}, which is not set",
                    cure=f"set {variable} in the environment",
                    where={"file": self._file, "key": name, "variable": variable},
                )
            text = self._environ[variable]
            # A whole URL stands as it is; a part of one (a password with an @, say) must not break the rest.
            return text if found[0] == value else quote(text, safe=":/.-_~")

        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", replace, value)

    def url(self, name: str, values: Mapping[str, Any], root: Path) -> str | None:
        """Raises `SettingsError` also for a text that is no URL."""
        value = self.text(name, values)
        if value is None:
            return None
        if "://" not in value:
            raise SettingsError(
                f"{self._file}: {name} = {values[name]!r} is no URL; write e.g. sqlite:///records.db or "
                "postgresql+psycopg://…",
                cure="mend that entry",
                where={"file": self._file, "key": name},
            )
        scheme, _, rest = value.partition("://")
        if scheme.partition("+")[0] == "sqlite" and rest.startswith("/") and not rest.startswith("//"):
            return f"{scheme}:///{root / rest[1:]}"  # three slashes and a relative path: the project's folder
        return value
