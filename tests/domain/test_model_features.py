"""What a model may learn from is checked where it is declared."""

import pytest

from mainspring import Aggregation, FeatureView, Model, RequestFeatures, Source
from mainspring.domain.monitor import DEFAULT_MONITORS, FEATURE_MONITORS, Monitor
from mainspring.errors import DeclarationError

ADS = Source("ads.csv", key="ad_id", time="drawn_at")
CLICKS = Source("clicks.csv", key="id", time="shown_at")
creative = FeatureView("creative", source=ADS, key="ad_id", columns=["width", "height"])
other = FeatureView("creative", source=ADS, key="ad_id", columns=["depth"])
visits = FeatureView("visits", source=ADS, key="user", aggregations=[Aggregation("count", over="1h")])


def area(columns: object) -> object: ...


AREA = RequestFeatures(area, inputs=["hour", creative["width"]], outputs=["area"])


def model(features: list[object] | None, **changes: object) -> Model:
    given: dict[str, object] = {"source": CLICKS, "target": "clicked", **changes}
    return Model("adclick", features=features, **given)  # type: ignore[arg-type]


def test_features_of_every_kind_are_told_apart() -> None:
    declared = model(["hour", creative["width"], AREA, visits["count_1h"], "device"])
    assert declared.plain_features == ("hour", "device")
    assert [ref.column for ref in declared.view_features] == ["creative.width", "visits.count_1h"]
    assert declared.views == (creative, visits)
    assert declared.request_features == (AREA,)
    assert AREA.inputs == ("hour", "creative.width")


def test_without_features_nothing_is_of_a_view() -> None:
    declared = model(None)
    assert (declared.plain_features, declared.view_features, declared.views) == (None, (), ())


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (["a", "a"], "the feature 'a' is named twice"),
        ([creative["width"], creative["width"]], "'creative.width' is named twice"),
        ([creative["width"], "creative.width"], "'creative.width' is named twice"),
        (["hour", "area", creative["width"], AREA], "'area' is named twice"),
        (["clicked"], "the target 'clicked' is among the features"),
        ([RequestFeatures(area, inputs=["hour"], outputs=["clicked"])], "'clicked' is among the features"),
        ([RequestFeatures(area, inputs=["clicked"], outputs=["x"])], "takes the target 'clicked'"),
        ([creative["width"], other["depth"]], "two views named 'creative'"),
        ([creative], r"creative\['width'\]"),
        ([3], "3 is no feature"),
        ([AREA, RequestFeatures(area, inputs=["area"], outputs=["x"])], "made by a function itself"),
        ([creative["height"], AREA], "takes 'creative.width', which is not among the model's features"),
    ],
)
def test_features_that_make_no_sense_say_so(features: list[object], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        model(features)


def test_features_of_a_view_need_the_time_of_a_row() -> None:
    with pytest.raises(DeclarationError, match=r"does not say when its rows happened; name the column: Source\("):
        model([creative["width"]], source=Source("clicks.csv", key="id"))


def test_what_is_watched_by_default_knows_whether_there_are_views() -> None:
    assert model(["hour"]).watched == DEFAULT_MONITORS
    assert model([creative["width"]]).watched == (*DEFAULT_MONITORS, *FEATURE_MONITORS)
    assert model([creative["width"]], monitors=[Monitor.drift()]).watched == (Monitor.drift(),)
