"""The verdicts of a model's gates over what was measured."""

from collections.abc import Sequence

from mainspring.domain.gate import Gate
from mainspring.domain.task import Task
from mainspring.domain.verdict import Outcome, Verdict
from mainspring.training.evaluation import Evaluation


def judge_gates(evaluation: Evaluation, gates: Sequence[Gate], task: Task) -> tuple[Verdict, ...]:
    """Judge each gate by its measurement, in their order.

    A gate that compares with the champion passes, and says so, where there is none yet.

    Args:
        gates: those that the evaluation was made for.

    Raises:
        DeclarationError: a gate's metric is none of the task.
    """
    return tuple(
        _no_champion(gate)
        if gate.reference == "champion" and not evaluation.has_champion
        else _noted(gate.judge(measurement.measured, task), measurement.note)
        for gate, measurement in zip(gates, evaluation.gates, strict=True)
    )


def _no_champion(gate: Gate) -> Verdict:
    return Verdict(str(gate), Outcome.PASS, (), "there is no champion yet")


def _noted(verdict: Verdict, note: str) -> Verdict:
    return Verdict(verdict.gate, verdict.outcome, verdict.evidence, note) if note else verdict
