"""Every random number of a run is drawn from the model's seed."""

import hashlib
import random
import sys

import numpy as np


def derive_seed(seed: int, *place: str | int) -> int:
    """A seed for one place, independent of those of other places: 31 bits of SHA-256.

    Examples:
        >>> derive_seed(0, "trial", 1) == derive_seed(0, "trial", 1) != derive_seed(0, "trial", 2)
        True
    """
    text = "/".join([str(seed), *map(str, place)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def seed_everything(seed: int) -> dict[str, int]:
    """Seed Python, NumPy and the frameworks that are loaded.

    Returns:
        What was seeded with what, for the record.
    """
    random.seed(seed)
    np.random.seed(seed)  # estimators with random_state=None draw from it
    seeded = {"python": seed, "numpy": seed, "PYTHONHASHSEED": 0}
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        seeded["torch"] = seed
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        tensorflow.random.set_seed(seed)
        seeded["tensorflow"] = seed
    return seeded
