"""Judge the gates."""

from mainspring.domain.verdict import Outcome, Verdict, overall
from mainspring.errors import Refused
from mainspring.loop.lifecycle.context import RunContext


def run(context: RunContext) -> str:
    """Write the verdicts; a gate that fails, or leaves it open, ends the run with nothing registered.

    Raises:
        Refused: naming the first such gate, by how much and where.
    """
    from mainspring.training.evaluation import Evaluation
    from mainspring.training.gates import judge_gates

    evaluation = context.load("evaluation.json", Evaluation)
    verdicts = judge_gates(evaluation, context.model.gates, context.resolved.task)
    context.save("verdicts.json", verdicts)
    if verdicts and overall(verdict.outcome for verdict in verdicts) is not Outcome.PASS:
        raise _refusal(verdicts)
    return f"{len(verdicts)} gates hold" if verdicts else "no gates declared"


def _refusal(verdicts: tuple[Verdict, ...]) -> Refused:
    order = (Outcome.FAIL, Outcome.INCONCLUSIVE)
    worst = min((v for v in verdicts if v.outcome in order), key=lambda verdict: order.index(verdict.outcome))
    others = sum(v.outcome is not Outcome.PASS for v in verdicts) - 1
    verb = "failed" if worst.outcome is Outcome.FAIL else "is inconclusive"
    return Refused(
        f"the gate `{worst.gate}` {verb}: {worst.reason}" + (f" (and {others} more)" if others else ""),
        cure="give more data or a better candidate, or change the gate in model.py if its bar is wrong",
        where={"gate": worst.gate, "outcome": str(worst.outcome)},
    )
