"""What a declared model means for a given schema."""

from typing import Any

import pytest

from mainspring.domain.feature_view import FeatureView
from mainspring.domain.model import Model
from mainspring.domain.request_features import RequestFeatures
from mainspring.domain.rollout import Rollout
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.errors import MainspringError
from mainspring.loop.lifecycle.resolution import resolve

SCHEMA = Schema(
    (Column("MonthlyCharges", Kind.NUMBER), Column("Churn", Kind.BOOLEAN), Column("Plan", Kind.CATEGORY))
)


@pytest.mark.parametrize(
    ("declared", "cure"),
    [
        ({"target": "Chrun"}, "did you mean 'Churn'?"),
        ({"target": "Churn", "features": ["MonthlyCharge"]}, "did you mean 'MonthlyCharges'?"),
        ({"target": "Churn", "slices": ["zzz"]}, "use one of: MonthlyCharges, Churn, Plan"),
        (
            {"target": "Churn", "rollout": Rollout(metric="squared_error")},
            "use one of log_loss, brier, error, roc_auc, or the name of a business outcome",
        ),
        (
            {"target": "MonthlyCharges", "rollout": Rollout(metric="roc_auc")},
            "use one of squared_error, absolute_error, or the name of a business outcome",
        ),
        (
            {"target": "Plan", "rollout": Rollout(metric="roc_auc")},
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


SHOWN = Schema((*SCHEMA, Column("shown_at", Kind.TIME), Column("ad_id", Kind.INTEGER), Column("day", Kind.TEXT)))
ADS = FeatureView("ads", source=Source("ads.csv", time="at"), key="ad_id", columns=["width"])


def area(columns: Any) -> Any: ...


def with_views(time: str = "shown_at", **declared: Any) -> Model:
    source = Source("telco.csv", time=time)
    given = {"features": ["MonthlyCharges", ADS["width"], RequestFeatures(area, ["ad_id"], ["area"])], **declared}
    return Model("telco", source=source, target="Churn", **given)


def test_features_are_in_the_order_in_which_the_estimator_gets_them() -> None:
    found = resolve(with_views(slices=["ads.width"]), SHOWN)
    assert found.features == ("MonthlyCharges", "ads.width", "area")
    assert found.columns == ("MonthlyCharges", "ads.width")
    assert (found.computed, found.carried) == (("area",), ("ad_id",))
    assert found.asked == ("MonthlyCharges", "ads.width", "ad_id")


@pytest.mark.parametrize(
    ("model", "schema", "words"),
    [
        (with_views("day"), SHOWN, "'day' holds no times but values of kind text"),
        (
            with_views(),
            SHOWN.select(("MonthlyCharges", "Churn", "shown_at")),
            "'ad_id' in model.py is not a column",
        ),
        (
            with_views(),
            Schema((*SHOWN, Column("ads.width", Kind.NUMBER))),
            "'ads.width' in model.py has the name of",
        ),
        (
            with_views(),
            Schema((*SHOWN, Column("area", Kind.NUMBER))),
            "'area' in model.py has the name of a column",
        ),
    ],
)
def test_features_of_views_that_do_not_fit_the_source_say_so(model: Model, schema: Schema, words: str) -> None:
    with pytest.raises(MainspringError) as caught:
        resolve(model, schema)
    assert words in caught.value.message
