"""How old stored features are, and whether they are those of history."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.domain.agreement import Disagreement, ViewAgreement
from mainspring.domain.materialised import MaterialisationState, Materialised
from mainspring.domain.measurement import State
from mainspring.domain.monitor import FEATURE_AGREEMENT, Monitor
from mainspring.domain.release import InputField, ViewInput
from mainspring.domain.schema import Kind
from mainspring.monitoring.context import Context
from mainspring.monitoring.features import feature_age, feature_agreement
from mainspring.monitoring.look import Look
from mainspring.testing.watched import DAY, HOUR, T0, Watched, day

ADS = ViewInput("ads", "ads-1", (InputField("ad", Kind.INTEGER),), {}, (("width", Kind.NUMBER),))
USERS = replace(ADS, view="users", id="users-1")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A model whose champion takes features of two views, a day after its first answer."""
    made = Watched(tmp_path).context(T0 + DAY)
    manifest = replace(made.manifest, views=(ADS, USERS))
    return replace(made, manifests={**made.manifests, made.champion: manifest})


def materialised(view: str, hours: float, **changes: object) -> Materialised:
    until = T0 + DAY - hours * HOUR
    given = {"state": MaterialisationState.DONE, "started_at": until, "until": until, **changes}
    return Materialised(id=f"{view}-1", view=view, **given)  # type: ignore[arg-type]


def age(context: Context, known: Sequence[Materialised], **bars: float) -> dict[str, tuple[State, float | None]]:
    look = Look(replace(context, materialised=known), Monitor.technical("feature_age", **bars), day())
    return {one.slice["view"]: (one.state, one.value) for one in feature_age(look)}


def agreement(context: Context, *found: ViewAgreement) -> list[tuple[State, float | None, str]]:
    look = Look(replace(context, agreement=lambda _: found), FEATURE_AGREEMENT, day())
    return [(one.state, one.value, one.note) for one in feature_agreement(look)]


def test_the_age_is_judged_by_each_views_own_freshness(context: Context) -> None:
    known = [materialised("ads", 3, freshness="2h"), materialised("users", 3, freshness="4h")]
    assert age(context, known) == {"ads": (State.BAD, 10_800.0), "users": (State.FINE, 10_800.0)}


def test_a_bar_of_the_monitor_comes_first_and_without_any_all_is_fine(context: Context) -> None:
    known = [materialised("ads", 3, freshness="2h"), materialised("users", 30)]
    assert age(context, known, at_most=86_400) == {"ads": (State.FINE, 10_800.0), "users": (State.BAD, 108_000.0)}
    assert age(context, known)["users"] == (State.FINE, 108_000.0)


def test_what_was_never_materialised_is_unknown_and_says_how_to_do_it(context: Context) -> None:
    other = replace(materialised("users", 1), id="users-2")  # another definition than the release's
    found = feature_age(Look(replace(context, materialised=[other]), Monitor.technical("feature_age"), day()))
    assert [one.state for one in found] == [State.UNKNOWN, State.UNKNOWN]
    assert "mainspring features materialize users" in found[1].note


def test_trouble_of_the_newest_materialisation_is_told(context: Context) -> None:
    known = [materialised("ads", 1, state=MaterialisationState.FAILED, trouble="no ads.csv")]
    found = feature_age(Look(replace(context, materialised=known), Monitor.technical("feature_age"), day()))
    assert found[0].note == "the newest materialisation failed: no ads.csv"


def test_the_share_that_agrees_is_judged_with_its_interval(context: Context) -> None:
    bad = ViewAgreement("ads", 1, rows=1_000, agreeing=900)
    near = ViewAgreement("users", 1, rows=400, agreeing=394)  # beyond the bar by no more than chance
    assert [state for state, _, _ in agreement(context, bad, near)] == [State.BAD, State.FINE]
    whole = ViewAgreement("ads", 1, rows=1_000, agreeing=1_000)
    assert agreement(context, whole) == [(State.FINE, 1.0, "")]


def test_few_answers_say_nothing_but_why(context: Context) -> None:
    ((state, value, note),) = agreement(
        context, ViewAgreement("ads", 1, rows=12, agreeing=6, note="a key is hidden")
    )
    assert (state, value) == (State.UNKNOWN, 0.5)
    assert note == "12 answers could be recomputed, and 200 are needed; a key is hidden"


def test_the_worst_is_the_measurements_example(context: Context) -> None:
    worst = Disagreement("q1/0", datetime(2026, 3, 1, tzinfo=UTC), 1, "ads.width", 3.0, None)
    found = ViewAgreement("ads", 1, rows=300, agreeing=100, worst=(worst,))
    look = Look(replace(context, agreement=lambda _: [found]), FEATURE_AGREEMENT, day())
    assert feature_agreement(look)[0].example == {
        "id": "q1/0", "feature": "ads.width", "answered": 3.0, "recomputed": None,
    }  # fmt: skip


def test_a_model_without_views_and_a_project_that_is_not_there_are_said(context: Context) -> None:
    plain = replace(context, manifests={context.champion: replace(context.manifest, views=())})
    for measure in (feature_age, feature_agreement):
        (found,) = measure(Look(plain, FEATURE_AGREEMENT, day()))
        assert (found.state, found.note) == (State.UNKNOWN, "the champion takes no features of views")
    (found,) = feature_agreement(Look(context, FEATURE_AGREEMENT, day()))
    assert "model.py is not at hand" in found.note
    assert found.window.length == timedelta(days=1)
