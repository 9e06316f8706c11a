"""The process of one moment of a score job: a durable workflow, so that no moment is done twice.

python -m mainspring.loop.processes.score_process
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.domain.release import ReleaseRef
from mainspring.domain.scheduled_score import ScheduledScore
from mainspring.loop.processes.parent import Parent, obey
from mainspring.loop.scoring.schedule import DueScore, tell_score

if TYPE_CHECKING:
    from mainspring.project import Project
    from mainspring.workspace import Workspace

_SCORE = "score"


class ScoreOrders(msgspec.Struct, frozen=True):
    """What the process gets from the controller."""

    project: str
    job: ScheduledScore
    moment: datetime
    attempt: int
    json_logs: bool


@dataclass(frozen=True, slots=True)
class ScoredMoment:
    """What became of it.

    Attributes:
        release: that answered.
        output: as the job names it.
    """

    release: str
    rows: int
    output: str


def score_moment(project: Project, due: DueScore) -> ScoredMoment:
    """Do one moment of a job, or go on with it, and tell the history; what was done before is not done again.

    Raises:
        WorkspaceBusy: another process is at the job.
        MainspringError: the rows are not there or not what they should be, or a store fails; another attempt goes
            on with the parts that are there.
    """
    from mainspring.loop.durable.engine import engine
    from mainspring.stores.lease_keeping import SECONDS, kept
    from mainspring.workspace import Workspace

    # A workflow that has failed stays so; another attempt is another workflow.
    workflow = f"score/{due.job.name}/{due.moment.isoformat()}/{due.attempt}"
    with Workspace(project.settings) as workspace:
        records = workspace.records
        with (
            records.lease(f"score/{due.job.name}", f"score job in process {os.getpid()}", ttl=SECONDS) as lease,
            records.fenced(lease),
            kept(lease, lambda: os.kill(os.getpid(), signal.SIGKILL)),
            engine(
                project.settings.workflows_url,
                executor=workflow,
                run_stage=lambda *_: _score(workspace, project, due),
            ) as started,
        ):
            found = ScoredMoment(**started.run(workflow, [_SCORE]))
        words = f"{found.rows:,} rows by {found.release}, written to {found.output}"
        tell_score(records, due, "done", words, msgspec.to_builtins(found))
    return found


def _score(workspace: Workspace, project: Project, due: DueScore) -> dict[str, Any]:
    """The workflow's one step; killed, it goes on with the parts that are there."""
    from mainspring.loop.scoring.scored import score_release

    inputs, output = due.job.at(due.moment)
    place = project.root / output
    place.parent.mkdir(parents=True, exist_ok=True)
    record = workspace.catalogue.find(ReleaseRef.parse(due.job.model))
    with workspace.open_release(record) as release:
        scored = score_release(
            workspace,
            project,
            release,
            inputs,
            str(place),
            root=project.root,
            keep_columns=due.job.keep_columns,
            threads=max(1, len(os.sched_getaffinity(0)) - 1),  # the gateway answers meanwhile
        )
    found = ScoredMoment(str(record.ref), scored.result.rows, output)
    return dict(msgspec.to_builtins(found))


def main() -> int:
    """Do it; 0 where it is done."""
    return obey(ScoreOrders, "score", _score_as_told, on_gone=signal.SIGKILL)


def _score_as_told(_: Parent, orders: ScoreOrders) -> None:
    from mainspring.project import open_project

    project = open_project(Path(orders.project), os.environ)
    score_moment(project, DueScore(orders.job, orders.moment, orders.attempt))


if __name__ == "__main__":
    sys.exit(main())
