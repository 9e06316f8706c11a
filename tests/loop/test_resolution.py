"""What a declared model means for a given schema."""

from typing import Any

import pytest

from mainspring.domain.model import Model
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.errors import MainspringError
from mainspring.loop.resolution import resolve

SCHEMA = Schema((Column("MonthlyCharges", Kind.NUMBER), Column("Churn", Kind.BOOLEAN)))


@pytest.mark.parametrize(
    ("declared", "cure"),
    [
        ({"target": "Chrun"}, "did you mean 'Churn'?"),
        ({"target": "Churn", "features": ["MonthlyCharge"]}, "did you mean 'MonthlyCharges'?"),
        ({"target": "Churn", "slices": ["zzz"]}, "use one of: MonthlyCharges, Churn"),
    ],
)
def test_a_misspelt_column_is_told_with_the_nearest(declared: dict[str, Any], cure: str) -> None:
    with pytest.raises(MainspringError) as caught:
        resolve(Model("telco", source=Source("telco.csv"), **declared), SCHEMA)
    assert caught.value.cure == cure
