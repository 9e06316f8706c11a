"""What becomes of a monitor's alert, look by look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.alert import (
    Alert,
    AlertState,
    Event,
    EventKind,
    Silence,
    advance,
    is_another,
    resolve,
    tell,
)
from mainspring.domain.alert_noise import noise
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BAD, FINE, UNKNOWN = State.BAD, State.FINE, State.UNKNOWN


def measured(state: State, subject: str = "age", hour: int = 0, **other: Any) -> Measurement:
    at = NOON + hour * HOUR
    value = {BAD: 0.3, FINE: 0.01, UNKNOWN: None}[state]
    given = {"value": value, "bar": 0.1, **other}
    return Measurement("drift", "drift", subject, Window(at - HOUR, at), at, state, **given)


def follow(looks: list[list[Measurement]], rule: Monitor) -> tuple[list[Alert | None], list[Event]]:
    """The alert after each look (one an hour), and what was to be told."""
    ids = count(1)
    alert: Alert | None = None
    alerts: list[Alert | None] = []
    events: list[Event] = []
    for hour, look in enumerate(looks):
        after, event = advance(
            alert, look, rule, model="adclick", now=NOON + hour * HOUR, new_id=lambda: f"a{next(ids)}"
        )
        alerts.append(after)
        events += [event] if event else []
        alert = after if after is not None and after.is_open else None
    return alerts, events


def states(text: str, rule: Monitor | None = None) -> str:
    """`b`ad, `f`ine, `u`nknown or nothing (`-`) an hour, to `p`ending, `F`iring, `r`esolved or none an hour."""
    words = {"b": BAD, "f": FINE, "u": UNKNOWN}
    looks = [[measured(words[c], hour=hour)] if c in words else [] for hour, c in enumerate(text)]
    alerts, _ = follow(looks, rule or Monitor.drift())
    signs = {AlertState.PENDING: "p", AlertState.FIRING: "F", AlertState.RESOLVED: "r"}
    return "".join("." if one is None else signs[one.state] for one in alerts)


@pytest.mark.parametrize(
    ("looks", "for_", "after"),
    [
        ("ffuf-", "0s", "....."),
        ("b", "0s", "F"),
        ("bfff", "0s", "FFFr"),  # fine for two looks, from the first fine one on
        ("bfbfbfff", "0s", "FFFFFFFr"),  # flapping is one alert
        ("buuuuuu", "0s", "FFFFFFF"),
        ("b------", "0s", "FFFFFFF"),
        ("bfufu", "0s", "FFFr."),
        ("bbbb", "2h", "ppFF"),
        ("bfbbb", "2h", "p.ppF"),
        ("bubb", "2h", "ppFF"),  # what cannot be said neither fires …
        ("buuu", "2h", "pppp"),  # … nor ends
        ("bbbffff", "3h", "ppp...."),
        ("bbbbfffff", "3h", "pppFFFFr."),
        ("bfffb", "0s", "FFFrF"),  # another alert
    ],
)
def test_the_way_of_an_alert(looks: str, for_: str, after: str) -> None:
    assert states(looks, Monitor.drift(for_=for_)) == after


def test_an_alert_has_a_since_and_its_newest_causes() -> None:
    looks = [
        [measured(BAD, "age"), measured(BAD, "income", value=0.9)],
        [measured(BAD, "age", 1), measured(FINE, "income", 1)],
        [measured(BAD, "age", 2), measured(BAD, "city", 2, value=0.2), measured(UNKNOWN, "income", 2)],
    ]
    alerts, events = follow(looks, Monitor.drift(owner="ana", severity="critical"))
    assert [[cause.subject for cause in one.causes] for one in alerts if one] == [
        ["income", "age"],
        ["age"],
        ["age", "city"],
    ]
    last = alerts[-1]
    assert last is not None
    assert (last.since, last.fired_at, last.last_seen) == (NOON, NOON, NOON + 2 * HOUR)
    assert (last.owner, last.severity) == ("ana", "critical")
    assert [(event.kind, event.id) for event in events] == [(EventKind.FIRED, "a1-fired")]


def test_a_cause_that_cannot_be_said_keeps_the_alert() -> None:
    two = [measured(BAD, "age"), measured(BAD, "income")]
    unsaid = [[measured(FINE, "age", hour), measured(UNKNOWN, "income", hour)] for hour in range(1, 9)]
    alerts, _ = follow([two, *unsaid], Monitor.drift())
    assert {one.state for one in alerts if one} == {AlertState.FIRING}
    fine = [[measured(FINE, "age", hour), measured(FINE, "income", hour)] for hour in range(9, 13)]
    alerts, events = follow([two, *unsaid, *fine], Monitor.drift())
    assert [event.kind for event in events] == [EventKind.FIRED, EventKind.RESOLVED]


def test_a_cause_that_is_unsaid_stays_named_while_another_is_bad() -> None:
    looks = [
        [measured(BAD, "age"), measured(BAD, "income")],
        [measured(BAD, "age", 1), measured(UNKNOWN, "income", 1)],
    ]
    last = follow(looks, Monitor.drift())[0][-1]
    assert last is not None
    assert {cause.subject for cause in last.causes} == {"age", "income"}


def test_another_release_ends_what_was_bad_of_the_old_one() -> None:
    fine = [[measured(FINE, "roc_auc", hour, release=8)] for hour in range(1, 4)]
    alerts, _ = follow([[measured(BAD, "roc_auc", release=7)], *fine], Monitor.drift())
    assert [one.state for one in alerts if one][-1] is AlertState.RESOLVED
    other_slice = [[measured(FINE, "roc_auc", hour, slice={"device": "tv"})] for hour in range(1, 4)]
    alerts, _ = follow([[measured(BAD, "roc_auc", slice={"device": "phone"})], *other_slice], Monitor.drift())
    assert [one.state for one in alerts if one][-1] is AlertState.FIRING


def test_a_part_that_is_told_of_only_while_it_is_bad_ends_with_its_whole() -> None:
    part = "age: missing"
    bad = [measured(FINE), measured(BAD, part)]
    fine = [[measured(FINE, hour=hour)] for hour in range(1, 5)]
    alerts, events = follow([bad, *fine], Monitor.drift())
    assert [event.kind for event in events] == [EventKind.FIRED, EventKind.RESOLVED]
    still = [[measured(BAD, hour=hour)] for hour in range(1, 5)]
    alerts, events = follow([bad, *still], Monitor.drift())
    assert alerts[-1] is not None
    assert alerts[-1].state is AlertState.FIRING


def test_a_cause_that_is_never_measured_again_holds_for_a_week() -> None:
    begin = [measured(BAD, "gone")]
    silence = [[measured(FINE, "age", hour)] for hour in range(1, 180)]
    alerts, _ = follow([begin, *silence], Monitor.drift())
    ended = [one for one in alerts if one and one.state is AlertState.RESOLVED]
    assert len(ended) == 1
    assert ended[0].resolved_at == NOON + timedelta(days=7) + 2 * HOUR
    nothing: list[list[Measurement]] = [[] for _ in range(180)]
    assert len(follow([begin, *nothing], Monitor.drift())[1]) == 1, "and without a look that says fine, for ever"


@pytest.mark.parametrize(
    ("first", "then", "looks"),
    [
        (0.3, {"value": 0.05}, 3),
        (0.3, {"value": 0.095}, 9),  # within a tenth of the bar
        (0.6, {"value": 0.699, "bar": 0.7, "reference": 0.75}, 9),  # its interval reaches over the bar
        (0.6, {"value": 0.704, "bar": 0.7, "reference": 0.75}, 9),
        (0.6, {"value": 0.706, "bar": 0.7, "reference": 0.75}, 3),
    ],
)
def test_near_the_bar_it_must_be_fine_for_longer(first: float, then: dict[str, float], looks: int) -> None:
    bar = then.get("bar", 0.1)
    fine = [[measured(FINE, hour=hour, **then)] for hour in range(1, 20)]
    alerts, _ = follow([[measured(BAD, value=first, bar=bar)], *fine], Monitor.drift())
    (at,) = [number for number, one in enumerate(alerts) if one and one.state is AlertState.RESOLVED]
    assert at == looks


def test_only_the_newest_window_of_a_look_counts() -> None:
    late = replace(measured(FINE, hour=2), at=NOON)
    assert follow([[late, measured(BAD)]], Monitor.drift())[0] == [None]


def test_flapping_is_counted() -> None:
    looks = [[measured(BAD if hour % 2 == 0 else FINE, hour=hour)] for hour in range(6)]
    last = follow(looks, Monitor.drift())[0][-1]
    assert last is not None
    assert (last.state, last.times_changed) == (AlertState.FIRING, 5)


LOOKS = st.lists(
    st.lists(st.tuples(st.sampled_from([BAD, FINE, UNKNOWN]), st.sampled_from(["age", "city"])), max_size=3),
    max_size=30,
)


@given(LOOKS, st.sampled_from(["0s", "2h", "5h"]))
def test_the_law_of_any_story(story: list[list[tuple[State, str]]], for_: str) -> None:
    looks = [[measured(state, subject, hour) for state, subject in look] for hour, look in enumerate(story)]
    rule = Monitor.drift(for_=for_)
    alerts, events = follow(looks, rule)
    kinds = [event.kind for event in events]
    assert kinds == [EventKind.FIRED, EventKind.RESOLVED] * (len(kinds) // 2) + [EventKind.FIRED] * (
        len(kinds) % 2
    )
    assert len({event.id for event in events}) == len(events)
    for event in events:
        alert = event.alert
        wait = {"0s": 0, "2h": 2, "5h": 5}[for_] * HOUR
        if event.kind is EventKind.FIRED:
            assert event.at - alert.since >= wait
            assert any(state is BAD for state, _ in story[(event.at - NOON) // HOUR]), "unknown fires nothing"
        else:
            assert alert.fine_since is not None
            assert event.at - alert.fine_since >= max(wait, 2 * HOUR)
            assert any(state is FINE for state, _ in story[(event.at - NOON) // HOUR]), "unknown ends nothing"
    for before, after in zip([None, *alerts], alerts, strict=False):
        if before is not None and before.is_open and after is not None:
            assert after.id == before.id
            assert after.causes


def test_a_silence_keeps_it_back_until_it_is_over() -> None:
    (alert,), (event,) = follow([[measured(BAD)]], Monitor.drift())
    assert alert is not None
    quiet = Silence(id="s", model="*", monitor="dr*", created_at=NOON, until=NOON + HOUR, by="ana", reason="r")
    kept, nothing = tell(alert, event, [quiet], NOON)
    assert (kept.told_at, nothing) == (None, None)
    told, late = tell(kept, None, [quiet], NOON + HOUR)
    assert late is not None
    assert (told.told_at, late.kind, late.at, late.id) == (NOON + HOUR, EventKind.FIRED, NOON + HOUR, "a1-fired")
    assert tell(told, None, [], NOON + 2 * HOUR) == (told, None), "once"
    for one, is_told in ((kept, False), (told, True)):
        ended, end = resolve(one, NOON + 3 * HOUR)
        assert (tell(ended, end, [quiet], NOON)[1] == end) is is_told
    other = replace(quiet, monitor="performance")
    assert tell(alert, event, [other], NOON)[1] is not None


def test_a_message_names_the_worst_causes() -> None:
    look = [measured(BAD, f"x{number}", value=0.1 + number / 1000) for number in range(500)]
    (alert,), (event,) = follow([look], Monitor.drift())
    assert alert is not None
    assert len(alert.causes) == 500
    brief = event.brief()
    assert [cause.subject for cause in brief.alert.causes] == [f"x{n}" for n in range(499, 489, -1)]
    assert (brief.more, brief.brief(3).more) == (490, 497)


def test_noise_over_the_budget_names_the_loudest() -> None:
    (alert,), _ = follow([[measured(BAD)]], Monitor.drift())
    assert alert is not None
    short = replace(alert, resolved_at=NOON + HOUR, state=AlertState.RESOLVED)
    loud = [replace(short, id=str(number)) for number in range(3)]
    flapping = replace(alert, monitor="performance", times_changed=4)
    never = replace(alert, fired_at=None, state=AlertState.PENDING)
    old = replace(alert, fired_at=NOON - timedelta(days=8))
    alerts = [*loud, flapping, never, old]
    heard = noise(alerts, 3, now=NOON)
    assert (heard.fired, heard.is_over, heard.short, heard.flapping) == (4, True, 3, 1)
    assert heard.by_monitor == ((("adclick", "drift"), 3), (("adclick", "performance"), 1))
    assert "drift of adclick fired most often (3)" in str(heard)
    assert "for_" in str(heard)
    fine = noise(alerts, 4, now=NOON)
    assert not fine.is_over
    assert "for_" not in str(fine)


def test_an_alert_says_from_when_on_things_are_otherwise() -> None:
    (alert,), _ = follow([[measured(BAD), measured(BAD, "income")]], Monitor.drift())
    assert alert is not None
    assert alert.changed_at == NOON - HOUR, "where nothing is known, the first bad window's start"
    known = [[measured(BAD, example={"since": moment.isoformat()})] for moment in (NOON - 5 * HOUR, NOON)]
    alerts, _ = follow(known, Monitor.drift())
    assert [one.changed_at for one in alerts if one] == [NOON - 5 * HOUR] * 2, "later looks know it no better"


@pytest.mark.parametrize(
    ("hours", "release", "another"), [(0, 1, False), (5, 1, False), (6, 1, True), (1, 2, True), (-9, 2, False)]
)
def test_a_change_well_after_the_first_or_of_another_release_is_another(
    hours: int, release: int, another: bool
) -> None:
    def found(moment: datetime, of: int) -> Measurement:
        return measured(BAD, release=of, example={"since": moment.isoformat()})

    (alert,), _ = follow([[found(NOON, 1)]], Monitor.drift())
    assert alert is not None
    assert is_another(alert, [found(NOON + hours * HOUR, release)]) is another
    assert not is_another(alert, [measured(FINE), measured(BAD)]), "where nobody knows since when"
    assert not is_another(replace(alert, state=AlertState.PENDING), [found(NOON + 9 * HOUR, 2)])
