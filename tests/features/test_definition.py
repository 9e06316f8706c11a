"""Views resolved against their columns: kinds, digests, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from mainspring.domain.aggregation import Aggregation
from mainspring.domain.feature_view import FeatureView, Value
from mainspring.domain.schema import Kind
from mainspring.domain.source import Source
from mainspring.errors import DataError, DeclarationError
from mainspring.features.definition import Definition, by_view, created_column, define, row_columns, time_column

ADS = Source("ads.parquet", time="at")
ROWS = {
    "ad": Kind.ID,
    "at": Kind.TIME,
    "known": Kind.TIME,
    "width": Kind.INTEGER,
    "name": Kind.TEXT,
    "price": Kind.NUMBER,
}


def defined(rows: dict[str, Kind] | None = None, **options: Any) -> Definition:
    return define(FeatureView("creative", source=ADS, **{"key": "ad", **options}), rows or ROWS, {})


def test_without_names_all_columns_but_keys_and_times_are_features() -> None:
    definition = defined(created="known")
    assert definition.names == ("width", "name", "price")
    assert definition.late
    assert defined().names == ("known", "width", "name", "price")
    assert not defined().late


def test_features_come_in_the_order_of_the_declaration() -> None:
    view = FeatureView(
        "creative",
        source=ADS,
        key="ad",
        columns=["price", "width"],
        aggregations=[Aggregation("sum", "tall", over="1h"), Aggregation("last", "name", over="1h")],
        ttl="2d",
        defaults={"price": 1.5},
    )
    view.features(gives=["tall", "wide"])(lambda rows: rows)
    definition = define(view, ROWS, {"tall": Kind.BOOLEAN, "wide": Kind.CATEGORY})
    assert definition.names == ("price", "width", "tall", "wide", "sum_tall_1h", "last_name_1h") == tuple(view)
    assert [feature.name for feature in definition.plain] == ["price", "width", "tall", "wide"]
    assert [feature.of for feature in definition.aggregated] == [Kind.BOOLEAN, Kind.TEXT]
    assert definition["sum_tall_1h"].kind is Kind.NUMBER
    assert definition["price"].default == 1.5
    assert definition.ttl == timedelta(days=2)
    assert set(definition.columns) == {"price", "width", "tall", "wide", "name"}
    assert definition.column("width") == "creative.width"
    with pytest.raises(DataError, match=r"no feature 'wdth'; did you mean 'width'\?"):
        definition["wdth"]


@pytest.mark.parametrize(
    ("function", "column", "kind"),
    [
        ("count", None, Kind.INTEGER),
        ("distinct", "name", Kind.INTEGER),
        ("sum", "width", Kind.NUMBER),
        ("mean", "width", Kind.NUMBER),
        ("min", "width", Kind.INTEGER),
        ("max", "known", Kind.TIME),
        ("last", "name", Kind.TEXT),
    ],
)
def test_the_kind_of_an_aggregate(function: str, column: str | None, kind: Kind) -> None:
    assert defined(aggregations=[Aggregation(function, column, over="1h", name="it")])["it"].kind is kind


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"key": "add"}, r"names the key 'add'.*; did you mean 'ad'\?"),
        ({"key": "price"}, r"the key 'price' .* is of kind number, which names no entity"),
        ({"time": "when"}, r"names the time 'when'"),
        ({"time": "width"}, r"takes 'width' for a time, but it is of kind integer"),
        ({"created": "knwn"}, r"names the time 'knwn'.*; did you mean 'known'\?"),
        ({"columns": ["wdth"]}, r"names the column 'wdth'"),
        ({"aggregations": [Aggregation("sum", "prce", over="1h")]}, r"names the column 'prce'"),
        ({"aggregations": [Aggregation("sum", "name", over="1h")]}, r"sum of 'name', which holds no numbers"),
        ({"aggregations": [Aggregation("mean", "known", over="1h")]}, r"mean of 'known', which holds no numbers"),
        (
            {"aggregations": [Aggregation("min", "name", over="1h")]},
            r"min of 'name', which holds no numbers or times",
        ),
        ({"defaults": {"wdth": 1}}, r"default of 'wdth', which is no feature of it; did you mean 'width'\?"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        defined(**options)


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("width", 1.5),
        ("width", True),
        ("price", "1"),
        ("price", float("nan")),
        ("name", 1),
        ("known", 5),
        ("known", "yesterday"),
    ],
)
def test_a_default_of_another_kind_is_refused(feature: str, value: Value) -> None:
    with pytest.raises(DeclarationError, match=f"the default {value!r} of {feature!r}"):
        defined(defaults={feature: value})


def test_our_own_names_are_taken() -> None:
    with pytest.raises(DeclarationError, match="'__order'; names that begin with two underscores are taken"):
        defined({**ROWS, "__order": Kind.INTEGER})


def test_a_function_gives_no_column_of_the_source() -> None:
    view = FeatureView("creative", source=ADS, key="ad")
    view.features(gives=["width"])(lambda rows: rows)
    with pytest.raises(DeclarationError, match="a function that gives 'width'"):
        define(view, ROWS, {"width": Kind.NUMBER})


def test_a_view_over_a_view_has_its_times_and_may_have_others() -> None:
    base = FeatureView("creative", source=ADS, key="ad", created="known", columns=["width"])
    over = FeatureView("over", source=base, key="width")
    assert (time_column(over), created_column(over)) == ("at", "known")
    assert row_columns(base, define(base, ROWS, {}), ROWS) == {
        "ad": Kind.ID,
        "at": Kind.TIME,
        "known": Kind.TIME,
        "width": Kind.INTEGER,
    }
    other = FeatureView("over", source=base, key="ad", time="known")
    assert (time_column(other), created_column(other)) == ("known", "known")


def test_a_definition_s_digest_is_of_all_that_decides_its_values() -> None:
    def of(**options: Any) -> str:
        return defined(**{"columns": ["width"], **options}).id

    same = [of(), of(owner="a", description="b", schedule="0 * * * *", freshness="1d", personal={"width": "hash"})]
    other = [
        of(columns=["price"]),
        of(key="name"),
        of(ttl="1d"),
        of(created="known"),
        of(defaults={"width": 0}),
        of(aggregations=[Aggregation("count", over="1h")]),
        of(aggregations=[Aggregation("count", over="2h", name="count_1h")]),
    ]
    assert len(set(same)) == 1
    assert len({*same, *other}) == 1 + len(other)
    assert same[0].startswith("creative-")
    assert len(same[0]) == len("creative-") + 12
    assert defined({**ROWS, "width": Kind.NUMBER}, columns=["width"]).id != same[0]
    # A column that the view does not name is none of its business.
    assert defined({**ROWS, "more": Kind.TEXT}, columns=["width"]).id == same[0]


def test_features_are_asked_for_by_view() -> None:
    creative = FeatureView("creative", source=ADS, key="ad")
    other = FeatureView("other", source=ADS, key="ad")
    found = by_view([creative["width"], other["name"], creative["name"]])
    assert found == {"creative": (creative, ("width", "name")), "other": (other, ("name",))}
