"""Judge the gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.domain.task import PROPER_SCORES
from mainspring.domain.verdict import Outcome, Verdict, overall
from mainspring.errors import Refused
from mainspring.loop.lifecycle.context import RunContext

if TYPE_CHECKING:
    from mainspring.training.evaluation import Evaluation


def run(context: RunContext) -> str:
    """Write the verdicts; a gate that fails, or leaves it open, ends the run with nothing registered.

    So does, where a trigger started the run and its release would be champion at once, that it is clearly worse
    than the champion: nobody looks, and nothing that the model declares compares the two.

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
    if _is_promoted_unseen(context):
        _check_against_champion(context, evaluation)
    return f"{len(verdicts)} gates hold" if verdicts else "no gates declared"


def _is_promoted_unseen(context: RunContext) -> bool:
    model = context.model
    compares = model.rollout is not None or any(gate.reference == "champion" for gate in model.gates)
    return context.trigger is not None and not compares


def _check_against_champion(context: RunContext, evaluation: Evaluation) -> None:
    metric = PROPER_SCORES[context.resolved.task]
    gain = evaluation.champion_gains.get(metric)
    if gain is None or gain.value is None or gain.high is None or gain.high >= 0:
        return
    (champion,) = context.load("parent.json", list[str])
    raise Refused(
        f"it is worse than the champion {champion}: its {metric} is {-gain.value:,.6g} higher, at least "
        f"{-gain.high:,.6g}, on the {gain.rows:,} held-out rows that neither has learnt from",
        cure="the champion stays; declare a Rollout or a gate against the champion for another rule, or train by "
        "hand (mainspring run)",
        where={"champion": champion, "metric": metric},
    )


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
