"""What history says of a moment is what the online store answers at that moment, for whole views."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.schema import Kind
from mainspring.domain.source import Source
from mainspring.features.assembling import Assembler
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, define
from mainspring.features.joining import Joined, join
from mainspring.features.newest import known_rows
from mainspring.features.online.memory import MemoryStore

MADE = 1_699_999_200_000_000  # a full hour: where steps end
SECOND, MINUTE = 1_000_000, 60_000_000
KINDS = {
    "shop": Kind.CATEGORY,
    "visitor": Kind.INTEGER,
    "at": Kind.TIME,
    "known": Kind.TIME,
    "amount": Kind.NUMBER,
    "device": Kind.CATEGORY,
    "member": Kind.BOOLEAN,
    "since": Kind.TIME,
    "pages": Kind.INTEGER,
}
DTYPES = {
    Kind.TIME: pl.Datetime("us", "UTC"),
    Kind.NUMBER: pl.Float64(),
    Kind.INTEGER: pl.Int64(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.CATEGORY: pl.String(),
}
# A category is counted and remembered, too; every function is over a window that moves while nothing happens.
WINDOWS = [
    *(
        Aggregation(function, None if function is AggregateFunction.COUNT else "amount", over=over)
        for function in AggregateFunction
        for over in ("1s", "10m", "1h")
    ),
    Aggregation("last", "device", over="2h"),
    Aggregation("distinct", "device", over="2h"),
    Aggregation("max", "since", over="2h"),
    Aggregation("min", "pages", over="2h"),
]
VIEW = FeatureView(
    "visits",
    source=Source("visits.csv", time="at"),
    key=["shop", "visitor"],
    created="known",
    ttl="30m",
    columns=["amount", "device", "member", "since", "pages"],
    aggregations=WINDOWS,
    defaults={"device": "none", "pages": -1, "mean_amount_10m": -0.5, "last_device_2h": "never"},
)
DEFINITION = define(VIEW, KINDS, {})


@dataclass(frozen=True)
class Visit:
    shop: str | None
    visitor: int | None
    at: int | None
    late: int
    values: tuple[object, ...]

    def row(self, place: int) -> tuple[object, ...]:
        at = None if self.at is None else MADE + self.at
        return (self.shop, self.visitor, at, None if at is None else at + self.late, place, *self.values)


# At the moment itself, after it, many at the same time; known at once, only later, or before they happen.
moments = (
    st.none()
    | st.sampled_from([0, 0, 1, -1, 30 * MINUTE])
    # Ends of the windows and of the ttl, and what is just outside.
    | st.sampled_from([-SECOND, -10 * MINUTE, -30 * MINUTE, -60 * MINUTE, -SECOND + 1, -30 * MINUTE - 1])
    | st.integers(-150, 5).map(MINUTE.__mul__)
)
values = st.tuples(
    st.none() | st.sampled_from([0.1, 0.2, 0.3, -5.0, 1e17, -1e17]),
    st.none() | st.sampled_from(["phone", "tablet", ""]),
    st.none() | st.booleans(),
    st.none() | st.sampled_from([-1, 0, MADE]),
    st.none() | st.sampled_from([0, -3, 2**60 + 1]),
)
visits = st.builds(
    Visit,
    st.sampled_from(["a", "a", "b", None]),
    st.sampled_from([1, 1, 2, None]),
    moments,
    st.sampled_from([0, 0, 0, 1, MINUTE, 40 * MINUTE, -MINUTE]),
    values,
)


def frame_of(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    names = ["shop", "visitor", EVENT_TIME, CREATED_TIME, ORDER, *VIEW.columns]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    kinds = {EVENT_TIME: Kind.TIME, CREATED_TIME: Kind.TIME, ORDER: Kind.INTEGER} | KINDS
    return pl.DataFrame(
        [
            pl.Series(name, column, pl.Int64() if kinds[name] is Kind.TIME else DTYPES[kinds[name]]).cast(
                DTYPES[kinds[name]]
            )
            for name, column in zip(names, columns, strict=True)
        ]
    )


def iso(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value


@settings(max_examples=80)
@given(
    st.lists(visits, max_size=14),
    st.lists(st.sampled_from([0, 1, 999_999, 10**6, 7 * 10**6, 601 * 10**6]), max_size=3),
)
def test_history_says_what_the_store_answers(visits: list[Visit], waits: list[int]) -> None:
    rows = frame_of([visit.row(place) for place, visit in enumerate(visits)])
    # Nothing becomes known while we wait: what the store has is what history has.
    waiting = MADE + max(waits, default=0)
    later = pl.max_horizontal(EVENT_TIME, CREATED_TIME).dt.epoch("us").is_between(MADE + 1, waiting)
    rows = rows.filter(later.fill_null(value=False).not_())

    store, assembler = MemoryStore(), Assembler(DEFINITION)
    for keys, vectors in assembler.vectors(known_rows(DEFINITION, rows.lazy(), MADE).collect(), MADE):
        store.write(DEFINITION.id, zip(keys, vectors, strict=True), fence=1)

    asked = [(shop, visitor) for shop in ("a", "b", "c", None) for visitor in (1, 2, None)]
    encoded = [assembler.keys.of_row({"shop": shop, "visitor": visitor}) for shop, visitor in asked]
    names = [DEFINITION.column(feature.name) for feature in DEFINITION.features]
    for now in sorted({MADE, *(MADE + wait for wait in waits)}):
        ((*found,),) = store.read([(DEFINITION.id, [key or b"" for key in encoded])])
        online = [
            assembler.codec.read(vector if key else None, now)[1]
            for key, vector in zip(encoded, found, strict=True)
        ]
        events = pl.DataFrame(
            {"shop": [shop for shop, _ in asked], "visitor": [visitor for _, visitor in asked]},
            schema={"shop": pl.String(), "visitor": pl.Int64()},
        ).with_columns(pl.lit(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)).alias("now"))
        joined = join(
            events, [Joined(DEFINITION, rows.lazy(), tuple(f.name for f in DEFINITION.features))], time="now"
        )
        for key, ours, theirs in zip(asked, online, joined.select(names).iter_rows(), strict=True):
            for name, answered, joined_value in zip(names, ours, theirs, strict=True):
                if isinstance(answered, float):
                    assert answered == pytest.approx(joined_value, rel=1e-15, abs=0), (key, name, now - MADE)
                else:
                    assert answered == iso(joined_value), (key, name, now - MADE)
