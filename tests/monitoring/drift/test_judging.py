import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.measurement import State
from mainspring.domain.schema import Kind
from mainspring.monitoring.drift.judging import judged
from mainspring.stats.drift import compare
from mainspring.stats.drift_result import Component, Drift
from mainspring.stats.profile import ColumnProfile


def drift(*components):
    first = components[0]
    return Drift(first.name, first.method, first.effect, first.p_value, first.threshold, components=components)


def component(effect, p_value, name="distribution"):
    return Component(name, "ks", effect, 0.05, p_value)


def states(found):
    return {key: [one.state for one in components] for key, components in found.items()}


def test_a_drift_must_be_there_and_matter():
    found = judged(
        {
            "there and great": (Kind.NUMBER, drift(component(0.2, 1e-9))),
            "there and small": (Kind.NUMBER, drift(component(0.01, 1e-9))),
            "chance": (Kind.NUMBER, drift(component(0.2, 0.3))),
            "unsaid": (Kind.NUMBER, drift(component(None, None))),
        },
        alpha=0.01,
    )
    assert states(found) == {
        "there and great": [State.BAD],
        "there and small": [State.FINE],
        "chance": [State.FINE],
        "unsaid": [State.UNKNOWN],
    }


def test_the_bar_given_is_for_the_distribution_alone():
    both = drift(component(0.2, 1e-9), component(0.2, 1e-9, "missing"))
    found = judged({"c": (Kind.NUMBER, both)}, alpha=0.01, at_most=0.3)
    assert [(one.bar, one.state) for one in found["c"]] == [(0.3, State.FINE), (0.05, State.BAD)]


def test_of_times_and_ids_only_what_is_missing_is_looked_at():
    both = drift(component(0.9, 1e-99), component(0.0, 1.0, "missing"), component(0.9, 1e-99, "out_of_range"))
    for kind in (Kind.TIME, Kind.ID, Kind.IMAGE):
        (only,) = judged({"c": (kind, both)}, alpha=0.01)["c"]
        assert (only.component.name, only.state) == ("missing", State.FINE)


def test_too_few_rows_for_anything_is_unknown_whatever_the_kind():
    empty = ColumnProfile(Kind.TIME)
    (only,) = judged({"c": (Kind.TIME, compare(empty, empty))}, alpha=0.01)["c"]
    assert only.state is State.UNKNOWN


@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=30))
def test_the_family_is_all_that_was_looked_at(p_values):
    """Holm: the smallest is multiplied by the number of all, in whichever columns they are."""
    halves = np.array_split(np.array(p_values), 2)
    drifts = {
        side: (Kind.NUMBER, drift(*(component(0.5, float(p)) for p in half)))
        for side, half in enumerate(halves)
        if half.size
    }
    found = [one.p_value for components in judged(drifts, alpha=0.01).values() for one in components]
    assert min(found) == min(1.0, min(p_values) * len(p_values))
    assert all(after >= before for before, after in zip(p_values, found, strict=True))
