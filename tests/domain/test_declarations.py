"""What a user declares in `model.py` is checked where it is written."""

import pytest

from mainspring import Canary, Model, Rollout, Source
from mainspring.domain.budget import Budget
from mainspring.domain.durations import parse_duration
from mainspring.domain.model import parse_memory
from mainspring.domain.release import ReleaseRef
from mainspring.errors import DeclarationError, UsageError

CLICKS = Source("clicks.csv")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Ad Click"}, "no valid name"),
        ({"name": "../etc"}, "no valid name"),
        ({"task": "clustering"}, "not known"),
        ({"metric": "auc"}, "not a metric"),
        ({"task": "regression", "metric": "roc_auc"}, "not a regression metric"),
        ({"holdout": 1.0}, "no share"),
        ({"features": ["a", "clicked"]}, "among the features"),
        ({"features": ["a", "a"]}, "named twice"),
        ({"trial_time": "soon"}, "not a duration"),
        ({"trial_memory": "lots"}, "no amount of memory"),
    ],
)
def test_a_model_that_makes_no_sense_says_so(changes: dict[str, object], words: str) -> None:
    arguments: dict[str, object] = {"name": "adclick", "source": CLICKS, "target": "clicked", **changes}
    with pytest.raises(DeclarationError, match=words):
        Model(**arguments)  # type: ignore[arg-type]


def test_candidates_are_kept_by_name_and_not_twice() -> None:
    model = Model("adclick", source=CLICKS, target="clicked")

    def trees(trial: object) -> None: ...

    assert model.candidate(trees) is trees
    assert list(model.candidates) == ["trees"]
    with pytest.raises(DeclarationError, match="two candidates 'trees'"):
        model.candidate(trees)


def test_a_sql_source_needs_url_and_query() -> None:
    assert Source("sqlite:///shop.db", query="select 1").is_sql
    assert not Source("s3://bucket/clicks/*.parquet").is_sql
    with pytest.raises(DeclarationError, match="query"):
        Source("sqlite:///shop.db")
    with pytest.raises(DeclarationError, match="query"):
        Source("clicks.csv", query="select 1")
    with pytest.raises(DeclarationError, match="no location"):
        Source([])


@pytest.mark.parametrize("steps", [[], [5, 5], [50, 25], [0, 50], [50, 100]])
def test_canary_steps_rise_within_the_traffic(steps: list[float]) -> None:
    with pytest.raises(DeclarationError, match="rising series"):
        Canary(steps)


def test_a_rollout_knows_how_it_promotes() -> None:
    with pytest.raises(DeclarationError, match="promote"):
        Rollout(promote="always")
    with pytest.raises(DeclarationError, match="min_requests"):
        Rollout(min_requests=0)


def test_what_a_shadow_can_show_needs_no_canary() -> None:
    for metric in ("log_loss", "squared_error", "roc_auc"):
        assert Rollout(metric=metric, canary=None).metric == metric
    with pytest.raises(DeclarationError, match=r"metric='clicks'\) is an outcome, which only a canary can show"):
        Rollout(metric="clicks", canary=None)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5m5", "1e3s", "5y"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "4", "4 TB", "-4GB", "GB"])
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError, match="no amount of memory"):
        parse_memory(text)


@pytest.mark.parametrize("text", ["", "../x", "a@0", "a@01", "a@-1", "A", "a@b", "a@1@2", "a b", "a\n", "é"])
def test_what_names_no_release_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no release"):
        ReleaseRef.parse(text)


@pytest.mark.parametrize("text", ["adclick@7", "adclick@champion", "adclick@latest"])
def test_a_reference_reads_back_as_written(text: str) -> None:
    assert str(ReleaseRef.parse(text)) == text


def test_a_budget_is_one_thing() -> None:
    for arguments in ({}, {"seconds": 1.0, "trials": 1}, {"seconds": 0.0}, {"trials": 0}, {"trials": -1}):
        with pytest.raises(UsageError, match="budget"):
            Budget(**arguments)  # type: ignore[arg-type]
