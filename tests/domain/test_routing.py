"""Shares are met, nobody changes sides, and models draw their own lots."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mainspring.domain.prediction_log import Role
from mainspring.domain.routing import Arm, Line, Shadowing, Share, Traffic, assign
from mainspring.errors import UsageError

KEYS = [f"user-{number}".encode() for number in range(20_000)]
shares = st.floats(0.001, 1.0)
keys = st.binary(max_size=40)


def bound(share: float, number: int = len(KEYS)) -> float:
    """Five standard deviations: a fair lot misses it once in two million times."""
    return 5 * math.sqrt(share * (1 - share) * number) + 1


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 1.0])
def test_a_canary_gets_its_share(share: float) -> None:
    traffic = Traffic(canary=Share(2, share))
    got = sum(assign(traffic, 1, key, salt="adclick").number == 2 for key in KEYS)
    assert abs(got - share * len(KEYS)) <= bound(share)


def test_arms_and_a_canary_get_their_shares_beside_each_other() -> None:
    traffic = Traffic(canary=Share(2, 0.05), arms=(Arm("a", 3, 0.3), Arm("b", 4, 0.2), Arm("control", 1, 0.25)))
    found: dict[tuple[int, Role, str | None], int] = {}
    for key in KEYS:
        chosen = assign(traffic, 1, key, salt="adclick")
        place = (chosen.number, chosen.role, chosen.arm)
        found[place] = found.get(place, 0) + 1
    wanted = {
        (2, Role.CANARY, None): 0.05,
        (3, Role.ARM, "a"): 0.3,
        (4, Role.ARM, "b"): 0.2,
        (1, Role.ARM, "control"): 0.25,
        (1, Role.CHAMPION, None): 0.2,
    }
    assert found.keys() == wanted.keys()
    for place, share in wanted.items():
        assert abs(found[place] - share * len(KEYS)) <= bound(share)


@given(key=keys, small=shares, large=shares, arm=shares)
def test_who_has_the_canary_keeps_it_when_its_share_grows(
    key: bytes, small: float, large: float, arm: float
) -> None:
    assume(max(small, large) + arm <= 1)
    small, large = sorted((small, large))
    arms = (Arm("a", 3, arm),)
    before = assign(Traffic(canary=Share(2, small), arms=arms), 1, key, salt="m")
    after = assign(Traffic(canary=Share(2, large), arms=arms), 1, key, salt="m")
    if before.role is not Role.CHAMPION:
        assert after == before
    assert assign(Traffic(arms=arms), 1, key, salt="m").arm == after.arm, "nor does anybody change arms"


@given(key=keys, share=shares)
def test_a_key_always_has_the_same_place(key: bytes, share: float) -> None:
    traffic = Traffic(canary=Share(2, share), shadows=(Share(3, share),))
    assert len({assign(traffic, 1, key, salt="m") for _ in range(3)}) == 1
    assert len({Shadowing(traffic, "m").of(key) for _ in range(3)}) == 1
    assert 0 <= Line("m").place_of(key) < 1


def test_places_stay_where_they_were_in_earlier_versions() -> None:
    """A change of the hash would give everybody another release in the middle of a test."""
    assert [round(Line("adclick").place_of(key), 9) for key in (b"", b"user 17", b"\xff\x00")] == [
        0.092870021,
        0.869283705,
        0.054388762,
    ]


def test_models_and_shadows_draw_lots_of_their_own() -> None:
    half = Traffic(canary=Share(2, 0.5), shadows=(Share(3, 0.5),))
    in_one = [assign(half, 1, key, salt="one").number == 2 for key in KEYS]
    in_two = [assign(half, 1, key, salt="two").number == 2 for key in KEYS]
    seen = [bool(Shadowing(half, "one").of(key)) for key in KEYS]
    for other in (in_two, seen):
        both = sum(a and b for a, b in zip(in_one, other, strict=True))
        assert abs(both - 0.25 * len(KEYS)) <= bound(0.25)


def test_salts_and_keys_do_not_run_into_each_other() -> None:
    assert Line("ab").place_of(b"c") != Line("a").place_of(b"bc")
    assert Line("").place_of(b"1:a") != Line("1:a").place_of(b"")


def test_what_a_small_shadow_sees_a_larger_one_sees_too() -> None:
    traffic = Traffic(shadows=(Share(2, 0.1), Share(3, 0.4)))
    seen = [Shadowing(traffic, "m").of(key) for key in KEYS]
    assert set(seen) == {(), (3,), (2, 3)}
    assert abs(sum(2 in numbers for numbers in seen) - 0.1 * len(KEYS)) <= bound(0.1)
    assert Shadowing(Traffic(shadows=(Share(2, 1.0),)), "m").of(b"x", but=2) == ()


@given(
    canary=st.none() | st.builds(Share, st.integers(1, 9), st.floats(0.001, 0.3)),
    arms=st.lists(st.tuples(st.integers(1, 9), st.floats(0.001, 0.1)), max_size=5, unique_by=lambda arm: arm[0]),
    shadows=st.lists(st.builds(Share, st.integers(1, 9), shares), max_size=5, unique_by=lambda s: s.number),
    champion=st.integers(1, 9),
)
def test_under_a_new_champion_nothing_names_it(
    canary: Share | None, arms: list[tuple[int, float]], shadows: list[Share], champion: int
) -> None:
    assume(canary is None or canary.number not in {number for number, _ in arms})
    named = tuple(Arm(f"a{number}", number, share) for number, share in arms)
    end = datetime(2026, 3, 1, tzinfo=UTC) if named else None
    traffic = Traffic(canary, named, tuple(shadows), end)
    left = traffic.under(champion)
    assert champion not in left.numbers
    assert left.under(champion) == left
    assert (left.arms, left.arms_end) in (((), None), (named, end)), "an A/B test goes on whole or ends"
    if champion not in traffic.numbers:
        assert left == traffic


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Share(0, 0.1), "0 is no release number"),
        (lambda: Share(True, 0.1), "True is no release number"),
        (lambda: Share("3", 0.1), "'3' is no release number"),  # type: ignore[arg-type]
        (lambda: Share(10**9, 0.1), "no release number"),
        (lambda: Share(1, 0.0), "0.0 is no share"),
        (lambda: Share(1, 1.01), "1.01 is no share"),
        (lambda: Share(1, 10), "10 is no share.*0.1 for 10%"),
        (lambda: Share(1, math.nan), "nan is no share"),
        (lambda: Share(1, -math.inf), "-inf is no share"),
        (lambda: Share(1, "0.1"), "no share"),  # type: ignore[arg-type]
        (lambda: Share(1, True), "True is no share"),
        (lambda: Arm("", 1, 0.1), "'' is no name of an arm"),
        (lambda: Arm("A\n", 1, 0.1), "no name of an arm"),
        (lambda: Arm("x" * 32, 1, 0.1), "no name of an arm"),
        (lambda: Traffic(canary=Share(2, 0.6), arms=(Arm("a", 3, 0.5),)), "110% of the traffic"),
        (lambda: Traffic(arms=(Arm("a", 3, 0.1), Arm("a", 4, 0.1))), "the arm a is given twice"),
        (lambda: Traffic(arms=(Arm("a", 3, 0.1), Arm("b", 3, 0.1))), "the release 3 is given twice"),
        (lambda: Traffic(canary=Share(3, 0.1), arms=(Arm("b", 3, 0.1),)), "the release 3 is given twice"),
        (lambda: Traffic(shadows=(Share(3, 0.1), Share(3, 0.2))), "the shadow 3 is given twice"),
        (
            lambda: Traffic(arms=(Arm("a", 3, 0.1),), arms_end=datetime(2026, 3, 1)),
            "2026-03-01 00:00:00 of the arms is no time in UTC",
        ),
        (
            lambda: Traffic(
                arms=(Arm("a", 3, 0.1),), arms_end=datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=1)))
            ),
            "no time in UTC",
        ),
        (lambda: Traffic(arms_end=datetime(2026, 3, 1, tzinfo=UTC)), "end is given of arms that are not there"),
        (lambda: Traffic(shadows=tuple(Share(n, 0.1) for n in range(1, 18))), "17 shadows are too many"),
    ],
)
def test_what_makes_no_sense_is_refused(make: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make()  # type: ignore[operator]
    assert caught.value.cure


def test_thirds_are_the_whole() -> None:
    third = 1 / 3
    traffic = Traffic(arms=(Arm("a", 2, third), Arm("b", 3, third), Arm("c", 4, third)))
    found = {assign(traffic, 1, key, salt="m").arm for key in KEYS}
    assert found == {"a", "b", "c"}
    Traffic(arms=tuple(Arm(f"a{n}", n, 0.1) for n in range(1, 11)))  # ten tenths, which add up to a little less


@given(key=keys, share=st.floats(1e-300, 1.0))
def test_the_end_of_a_share_parts_the_places_exactly(key: bytes, share: float) -> None:
    line = Line("m")
    assert (line.digest_of(key) < Line.end_of(share)) == (line.place_of(key) < share)


@given(key=keys)
def test_the_end_of_a_share_at_the_edge_of_a_place(key: bytes) -> None:
    place = Line("m").place_of(key)
    digest = Line("m").digest_of(key)
    assert not digest < Line.end_of(place)
    assert digest < Line.end_of(math.nextafter(place, 1))
