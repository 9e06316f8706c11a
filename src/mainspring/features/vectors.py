"""All features of one entity ↔ the bytes that an online store keeps of it.

A vector holds the features in the view's order and, at the end, the event time of its row; a feature with a window
holds its stairs (see `stairs`). What a request gets of it at a moment is decided here, and nowhere else.

Imports nothing but the standard library, numpy and msgspec: gateway workers use it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from mainspring.domain.feature_view import Value
from mainspring.domain.ports_features import Vector
from mainspring.domain.schema import Kind
from mainspring.errors import StoreError
from mainspring.features.keys import iso_time
from mainspring.features.stairs import Window, empty_value, value_at

FORMAT = 1
"""Of a vector's bytes. It is part of a view's id, so that two formats never meet."""


class Outcome(StrEnum):
    """How it stands with an entity."""

    FOUND = "found"
    MISSING = "missing"  # the store has no vector of it
    EXPIRED = "expired"  # its newest row is older than the view's ttl


_FOUND = Outcome.FOUND  # a member of an enumeration takes as long to name as a vector's number to read


@dataclass(frozen=True, slots=True)
class FeatureSlot:
    """One feature of a vector.

    Attributes:
        default: its value where there is none.
        window: of an aggregation.
    """

    name: str
    kind: Kind
    default: Value = None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class VectorLayout:
    """What the vectors of one view hold.

    Attributes:
        features: in order.
        ttl: microseconds after which a row counts as absent; windows have their own length.
    """

    view: str
    features: tuple[FeatureSlot, ...]
    ttl: int | None = None


class VectorCodec:
    """Makes and reads the vectors of one view.

    Attributes:
        absent: the values of an entity that is not there: the defaults, and of windows those of no events.

    Examples:
        >>> width = FeatureSlot("width", Kind.INTEGER, default=300)
        >>> codec = VectorCodec(VectorLayout("creative", (width, FeatureSlot("hue", Kind.NUMBER)), ttl=60))
        >>> vector = codec.encode([728, 0.5], event_time=1_000)
        >>> codec.read(vector, now=1_060)
        (<Outcome.FOUND: 'found'>, [728, 0.5])
        >>> codec.read(vector, now=1_061)
        (<Outcome.EXPIRED: 'expired'>, [300, None])
        >>> codec.read(None, now=1_061)
        (<Outcome.MISSING: 'missing'>, (300, None))
    """

    def __init__(self, layout: VectorLayout) -> None:
        self.layout = layout
        self.names = tuple(feature.name for feature in layout.features)
        windows = [empty_value(slot.window.function) if slot.window else None for slot in layout.features]
        self.absent: tuple[Value, ...] = tuple(
            slot.default if empty is None else empty for slot, empty in zip(layout.features, windows, strict=True)
        )
        self._width = len(layout.features)
        self._windows = [(place, slot.window) for place, slot in enumerate(layout.features) if slot.window]
        self._rows = [place for place, slot in enumerate(layout.features) if not slot.window]
        self._times = [place for place, slot in enumerate(layout.features) if slot.kind is Kind.TIME]
        self._ttl = layout.ttl if self._rows else None
        self._has_defaults = any(value is not None for value in self.absent)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[Any]).decode

    def encode(self, values: Sequence[object], event_time: int) -> Vector:
        """The vector of one entity.

        Args:
            values: one for each feature, in order: `None` where missing (never NaN), times as microseconds, of a
                feature with a window its stairs.
            event_time: of its newest row, in microseconds.
        """
        return self.encode_all([[value] for value in values], [event_time])[0]

    def encode_all(self, columns: Sequence[Sequence[object]], event_times: Sequence[int]) -> list[Vector]:
        """The vectors of many entities, given by column; see `encode`."""
        return list(map(self._encode, zip(*columns, event_times, strict=True)))

    def read(self, vector: Vector | None, now: int) -> tuple[Outcome, Sequence[Value]]:
        """The features' values at `now`, in order, as a request would carry them; defaults where there are none.

        A vector made of events later than `now` (this machine's clock is behind) is taken as it is.

        Raises:
            StoreError: these bytes are no vector of the view.
        """
        if vector is None:
            return Outcome.MISSING, self.absent
        try:
            values = self._decode(vector)
            at = values.pop()
            if len(values) != self._width:
                raise ValueError(f"{len(values)} features in place of {self._width}")
            for place, window in self._windows:
                values[place] = value_at(window, values[place], now)
            outcome = _FOUND
            if self._ttl is not None and now - at > self._ttl:
                outcome = Outcome.EXPIRED
                for place in self._rows:
                    values[place] = None
            for place in self._times:
                if values[place] is not None:
                    values[place] = iso_time(values[place])
        except (msgspec.DecodeError, ValueError, TypeError, IndexError, OverflowError) as error:
            raise StoreError(
                f"a vector of the view {self.layout.view!r} is damaged: {error}",
                cure=f"fill the online store anew: mainspring features materialize {self.layout.view} --full",
                where={"view": self.layout.view},
            ) from error
        if self._has_defaults and None in values:
            absent = self.absent
            values = [absent[place] if value is None else value for place, value in enumerate(values)]
        return outcome, values

    def event_time(self, vector: Vector) -> int:
        """Of the row that the vector was made of, in microseconds."""
        at: int = self._decode(vector)[-1]
        return at
