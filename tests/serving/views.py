"""A view of the tests, its release and its vectors."""

import time
from collections.abc import Mapping
from typing import Any

from mainspring.domain.aggregation import AggregateFunction
from mainspring.domain.ports_features import OnlineStore
from mainspring.domain.release import InputField, ViewInput, WindowInput
from mainspring.domain.schema import Kind
from mainspring.features.freshness import Mark, encode_mark
from mainspring.features.keys import EntityKeys
from mainspring.features.online.opening import open_online
from mainspring.features.sealed_layout import layout_of
from mainspring.features.stairs import bucket_of
from mainspring.features.vectors import VectorCodec

from .conftest import INPUTS, Shop

CREATIVE = ViewInput(
    view="creative",
    id="creative-000000000001",
    keys=(InputField("ad_id", Kind.INTEGER),),
    features={"brightness": "creative.brightness", "clicks_1h": "creative.clicks_1h"},
    kinds=(("width", Kind.INTEGER), ("brightness", Kind.NUMBER), ("clicks_1h", Kind.INTEGER)),
    defaults={"brightness": 0.5},
    ttl="1d",
    windows=(WindowInput("clicks_1h", AggregateFunction.COUNT, None, "1h"),),
    rows=(
        InputField("ad_id", Kind.INTEGER, required=True),
        InputField("created_at", Kind.TIME, required=True),
        InputField("width", Kind.INTEGER),
        InputField("title", Kind.TEXT),
    ),
    time="created_at",
)
FEATURES = (InputField("creative.brightness", Kind.NUMBER), InputField("creative.clicks_1h", Kind.NUMBER))
FIELDS = (*INPUTS, *FEATURES)
_MINUTE = 60_000_000  # microseconds


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def put(
    store: OnlineStore, values: Mapping[Any, float | None], *, view: ViewInput = CREATIVE, age: int = 0
) -> None:
    """Write the brightness of ads, each with two clicks a minute ago, and mark the view."""
    codec, at = VectorCodec(layout_of(view)), now() - age
    clicks = (bucket_of(at - _MINUTE, _MINUTE), [0], [2])
    codes = EntityKeys(view.keys).of_columns([list(values)])
    of_view = {"width": 300, "clicks_1h": clicks}
    vectors = [
        codec.encode([{**of_view, "brightness": value}[name] for name in codec.names], at)
        for value in values.values()
    ]
    keyed = [(code, vector) for code, vector in zip(codes, vectors, strict=True) if code is not None]
    store.write(view.id, keyed, fence=1)
    store.mark(view.id, encode_mark(Mark(until=now(), keys=len(values))), fence=1)


def opened(shop: Shop) -> OnlineStore:
    """The store of a gateway that is told of no other."""
    return open_online(f"sqlite:///{shop.root / 'features.db'}")


def seal(shop: Shop, *numbers: int, view: ViewInput = CREATIVE) -> None:
    """Releases of adult that take the view's features."""
    for number in numbers:
        shop.seal(number, inputs=FIELDS, views=(view,))


def given(brightness: float | None, clicks: int = 2) -> dict[str, Any]:
    """The features as a request may give them itself."""
    return {"creative.brightness": brightness, "creative.clicks_1h": clicks}
