"""The durable workflow engine: DBOS on the workspace's own database.

A workflow is a fixed sequence of stages. Each stage's result is stored as it ends, so that a killed process,
started again, goes on at the stage it was in. A stage may therefore run twice, and is written so that the second
time changes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Thread
from typing import Any

RunStage = Callable[[str, str], dict[str, Any]]  # workflow id, stage → its result

# An edited workflow must still find its pending runs, so the version says only how the stages are stored.
_STORAGE_VERSION = "1"

_WAKE_EVERY = 0.1  # seconds

_stage_runner: RunStage | None = None


@contextmanager
def engine(url: str, *, executor: str, run_stage: RunStage) -> Iterator["Engine"]:
    """Start the engine; it goes on at once with the executor's pending workflow, if there is one.

    Launch it only while holding the controller's lease.

    Args:
        url: SQLAlchemy URL of the engine's database.
        executor: whose workflows to go on with; one executor never touches another's.
        run_stage: called with workflow id and stage name; returns the stage's JSON result. A result with the
            key `stop` ends the workflow after that stage.
    """
    from dbos import DBOS

    from mainspring.loop.durable.json_serializer import JsonSerializer

    global _stage_runner
    _stage_runner = run_stage
    DBOS(
        config={
            "name": "mainspring",
            "system_database_url": url,
            "application_version": _STORAGE_VERSION,
            "executor_id": executor,
            "serializer": JsonSerializer(),
            "log_level": "CRITICAL",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 0.05,
        }
    )
    workflow = _registered_workflow()
    try:
        DBOS.launch()
        yield Engine(workflow)
    finally:
        DBOS.destroy()
        _stage_runner = None


class Engine:
    """A launched engine."""

    def __init__(self, workflow: Callable[[str, list[str]], dict[str, Any]]) -> None:
        self._workflow = workflow

    def run(self, workflow_id: str, stages: Sequence[str]) -> dict[str, Any]:
        """Run the workflow of this id, or wait for the one that is under way, and return its last result.

        Called from the main thread it lets Ctrl-C through: libraries that take SIGINT over (Polars does) have the
        system resume an endless wait, so this one wakes up by itself.
        """
        from dbos import DBOS, SetWorkflowID

        if DBOS.get_workflow_status(workflow_id) is None:
            with SetWorkflowID(workflow_id):
                handle = DBOS.start_workflow(self._workflow, workflow_id, list(stages))
        else:
            handle = DBOS.retrieve_workflow(workflow_id)
        result: list[dict[str, Any] | BaseException] = []

        def wait() -> None:
            try:
                result.append(handle.get_result(polling_interval_sec=0.1))
            except BaseException as error:
                result.append(error)

        waiting = Thread(target=wait, name="workflow", daemon=True)
        waiting.start()
        while waiting.is_alive():
            waiting.join(_WAKE_EVERY)
        (ended,) = result
        if isinstance(ended, BaseException):
            raise ended
        return ended


@cache
def _registered_workflow() -> Callable[[str, list[str]], dict[str, Any]]:
    """DBOS keeps its workflows in a registry of the process, so this one is registered once."""
    from dbos import DBOS

    def stages_in_order(workflow_id: str, stages: list[str]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for stage in stages:
            result = DBOS.run_step({"name": stage}, _run_stage, workflow_id, stage)
            if result.get("stop"):
                break
        return result

    workflow: Callable[[str, list[str]], dict[str, Any]] = DBOS.workflow(name="stages_in_order")(stages_in_order)
    return workflow


def _run_stage(workflow_id: str, stage: str) -> dict[str, Any]:
    assert _stage_runner is not None, "the engine runs stages only while it is open"
    return _stage_runner(workflow_id, stage)
