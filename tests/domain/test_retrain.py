"""A `Retrain` that cannot be says what is wrong with it, and what would be right."""

from typing import Any

import pytest

from mainspring.domain.retrain import Retrain
from mainspring.errors import DeclarationError


@pytest.mark.parametrize(
    ("declared", "message", "cure"),
    [
        ({"on": "weather"}, "Retrain(on='weather') is not known", "drift, performance, new_data"),
        ({"schedule": "61 * * * *"}, "61", ""),
        ({"min_new_labels": 0}, "Retrain(min_new_labels) is under 1", "1 or more"),
        ({"per_day": 0}, "Retrain(per_day) is under 1", "1 or more"),
        ({"breaker": 0}, "Retrain(breaker) is under 1", "1 or more"),
        ({"cooldown": "soon"}, "soon", ""),
        ({"windows": ()}, "Retrain(windows) is empty", "at least one"),
        ({"windows": "newest"}, "Retrain(windows='newest') is no window of rows", "since_change and alike"),
        ({"windows": "0 rows"}, "Retrain(windows='0 rows') is no window of rows", "5000 rows"),
        ({"windows": ["all", "weighted soon"]}, "'weighted soon'", "weighted 30d"),
        ({"windows": ["all", "since_change and alike"]}, "but not 'since_change'", 'add "since_change"'),
    ],
)
def test_what_cannot_be_is_refused(declared: dict[str, Any], message: str, cure: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Retrain(**declared)
    assert message in caught.value.message
    assert cure in (caught.value.cure or "")


def test_one_name_stands_for_a_list_of_one() -> None:
    assert Retrain(on="drift", windows="90d") == Retrain(on=["drift"], windows=["90d"])
    assert Retrain(windows=("since_change", "since_change and alike")).windows[1] == "since_change and alike"


@pytest.mark.parametrize(
    ("declared", "automatic"),
    [({}, False), ({"on": "new_data"}, True), ({"schedule": "0 3 * * *"}, True), ({"min_new_labels": 1}, True)],
)
def test_without_a_cause_only_a_person_trains(declared: dict[str, Any], automatic: bool) -> None:
    assert Retrain(**declared).is_automatic is automatic
