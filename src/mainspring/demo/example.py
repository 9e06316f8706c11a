"""The example project that the demo takes through the loop: where it is, and a copy of it to play with."""

import shutil
from pathlib import Path

from mainspring.errors import UsageError

NAME = "adstocrat"
FAULTY = "faulty"
"""The folder, in the project, of the one that learns from a faulty export."""
VIEWS = "views.py"
"""The feature views, of which that one gets a copy."""

_FILES = (
    "mainspring.toml",
    "model.py",
    VIEWS,
    "schema.toml",
    "README.md",
    f"{FAULTY}/mainspring.toml",
    f"{FAULTY}/model.py",
)


def example_folder() -> Path:
    """Inside an installed package beside this file, in a checkout under `examples`."""
    installed = Path(__file__).parent / NAME
    return installed if installed.is_dir() else Path(__file__).parents[3] / "examples" / NAME


def copy_example(folder: Path) -> None:
    """Copy the project into `folder`; one that an earlier demo made is used again.

    Raises:
        UsageError: something else is there.
    """
    source = example_folder()
    if folder.exists():
        same = folder.is_dir() and all(
            (folder / name).is_file() and (folder / name).read_bytes() == (source / name).read_bytes()
            for name in _FILES
        )
        if same:
            return
        if not folder.is_dir() or any(folder.iterdir()):
            raise UsageError(
                f"{folder} is there already, and is not as the demo makes it",
                cure="name another folder: mainspring demo DIR",
                where={"folder": str(folder)},
            )
    (folder / FAULTY).mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(source / name, folder / name)
