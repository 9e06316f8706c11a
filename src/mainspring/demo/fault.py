"""A fault upstream: an export of the impressions that has the clicks the wrong way round, and who learns from it.

    python -m mainspring.demo.fault FOLDER

A process of its own, so that the visitors, who come in another thread of the demo, are not kept waiting.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mainspring.clock import SYSTEM_CLOCK
from mainspring.demo.example import FAULTY, VIEWS
from mainspring.domain.release import ReleaseRef
from mainspring.errors import MainspringError, Refused

ACTOR = "somebody in a hurry"
_WAIT = 30.0  # seconds for the gateway to take it over


def export_with_a_fault(folder: Path) -> Path:
    """Write the data once more, with the clicks the wrong way round; the project that learns from them."""
    import polars as pl

    project = folder / FAULTY
    for name in ("schema.toml", VIEWS):
        shutil.copyfile(folder / name, project / name)
    shutil.copytree(folder / "data", project / "data", dirs_exist_ok=True)
    rows = pl.read_csv(folder / "data" / "impressions.csv")
    rows.with_columns((1 - pl.col("clicked")).alias("clicked")).write_csv(project / "data" / "impressions.csv")
    return project


def learn_from_it(project: Path, environ: Mapping[str, str], patience: float) -> ReleaseRef:
    """Train on the faulty export, and promote what comes of it by hand, past the rest of its rollout.

    Args:
        patience: seconds.

    Raises:
        MainspringError: it was not promoted, in the process's own words.
    """
    command = [sys.executable, "-m", "mainspring.demo.fault", str(project)]
    try:
        done = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, check=False, timeout=patience
        )
    except subprocess.TimeoutExpired as late:
        raise MainspringError(f"the training on the faulty export took longer than {patience:g} s") from late
    if done.returncode != 0:
        raise MainspringError(f"the faulty release was not promoted: {done.stderr[-500:].strip()}")
    return ReleaseRef.parse(done.stdout.split()[-1])


def main() -> int:
    """Train, and promote as soon as it is registered."""
    from mainspring.loop.lifecycle import workflow as lifecycle
    from mainspring.loop.rollout.by_hand import promote
    from mainspring.project import load_project
    from mainspring.workspace import Workspace

    try:
        project = load_project(Path(sys.argv[1]), os.environ)
        outcome = lifecycle.run(project, budget=project.settings.budget, actor=ACTOR)
        if outcome.manifest is None:
            raise outcome.error or Refused("the run made no release")
        with Workspace(project.settings, SYSTEM_CLOCK) as workspace:
            record = workspace.catalogue.find(outcome.manifest.ref)
            promote(workspace, record, actor=ACTOR, reason="every gate holds", wait_seconds=_WAIT)
    except MainspringError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{outcome.manifest.ref}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
