from datetime import UTC, datetime

from mainspring.training.allocation import next_candidate
from mainspring.training.trial_record import TrialRecord, TrialState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(number: int, name: str, score: float | None, **options: object) -> TrialRecord:
    state = options.pop("state", TrialState.FINISHED if score is not None else TrialState.FAILED)
    return TrialRecord(
        number=number,
        candidate=name,
        state=state,
        params=options.pop("params", {"x": number}),
        distributions={},
        score=score,
        fold_scores=(),
        metrics={},
        settled={},
        frozen={},
        seeds={},
        threads=1,
        started_at=NOW,
        ended_at=NOW,
        seconds=1.0,
        fit_seconds=1.0,
        peak_memory=0,
        spent=0.0,
        **options,
    )


def play(scores: dict[str, float], rounds: int, *, greater: bool = True) -> dict[str, int]:
    records: list[TrialRecord] = []
    for number in range(rounds):
        begun = [r.candidate for r in records]
        name = next_candidate(
            list(scores),
            records,
            begun,
            greater_is_better=greater,
            cost={n: float(begun.count(n)) for n in scores},
        )
        assert name is not None
        records.append(record(number, name, scores[name]))
    return {name: sum(r.candidate == name for r in records) for name in scores}


def test_the_better_ones_get_more_and_none_is_starved() -> None:
    counts = play({"poor": 0.5, "good": 0.9, "fair": 0.8, "bad": 0.4, "worst": 0.3}, 100)
    assert counts["good"] > counts["fair"] > counts["poor"] >= counts["bad"] >= counts["worst"] >= 4
    assert counts["good"] > 40


def test_less_may_be_better() -> None:
    counts = play({"high": 9.0, "low": 1.0}, 30, greater=False)
    assert counts["low"] == 20


def test_a_candidate_without_parameters_is_tried_once() -> None:
    records = [record(0, "fixed", 0.9, params={}), record(1, "tuned", 0.5)]
    name = next_candidate(["fixed", "tuned"], records, ["fixed", "tuned"], greater_is_better=True, cost={})
    assert name == "tuned"
    assert next_candidate(["fixed"], records, ["fixed"], greater_is_better=True, cost={}) is None


def test_a_candidate_that_keeps_failing_is_given_up_but_not_at_once() -> None:
    fails = [record(n, "a", None) for n in range(3)]
    for kept, expected in ((2, "a"), (3, None)):
        found = next_candidate(["a"], fails[:kept], ["a"] * kept, greater_is_better=True, cost={"a": 1.0})
        assert found == expected
    mixed = [record(0, "a", 0.5), *(record(n, "a", None) for n in (1, 2))]
    assert next_candidate(["a"], mixed, ["a"] * 3, greater_is_better=True, cost={}) == "a"


def test_being_stopped_is_no_failure() -> None:
    stopped = [record(n, "a", None, state=TrialState.STOPPED) for n in range(5)]
    assert next_candidate(["a"], stopped, ["a"] * 5, greater_is_better=True, cost={}) == "a"
