"""What a declared model means for a given schema."""

from typing import Any

import pytest

from mainspring.domain.model import Model
from mainspring.domain.rollout import Rollout
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.errors import MainspringError
from mainspring.loop.lifecycle.resolution import resolve

SCHEMA = Schema((Column("MonthlyCharges", Kind.NUMBER), Column("Churn", Kind.BOOLEAN)))


@pytest.mark.parametrize(
    ("declared", "cure"),
    [
        ({"target": "Chrun"}, "did you mean 'Churn'?"),
        ({"target": "Churn", "features": ["MonthlyCharge"]}, "did you mean 'MonthlyCharges'?"),
        ({"target": "Churn", "slices": ["zzz"]}, "use one of: MonthlyCharges, Churn"),
        (
            {"target": "Churn", "rollout": Rollout(metric="squared_error")},
            "use one of log_loss, brier, error, or the name of a business outcome",
        ),
        (
            {"target": "MonthlyCharges", "rollout": Rollout(metric="brier")},
            "use one of squared_error, absolute_error, or the name of a business outcome",
        ),
    ],
)
def test_a_mistake_is_told_with_what_to_use_instead(declared: dict[str, Any], cure: str) -> None:
    with pytest.raises(MainspringError) as caught:
        resolve(Model("telco", source=Source("telco.csv"), **declared), SCHEMA)
    assert caught.value.cure == cure
