"""What an online store knows of the entities of many rows, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from mainspring.data.columns import HARMLESS
from mainspring.domain.instants import microseconds
from mainspring.domain.ports_features import EntityKey, Vector, ViewId
from mainspring.domain.release import ViewInput
from mainspring.features.definition import Key
from mainspring.features.entities import event_keys
from mainspring.features.keys import EntityKeys
from mainspring.features.online_values import feature_series
from mainspring.features.sealed_layout import layout_of
from mainspring.features.vectors import VectorCodec


@dataclass(frozen=True, slots=True)
class AskedRows:
    """The entities of one view that some rows name.

    Attributes:
        of_store: what the store is asked: each entity once.
        places: of each row the place of its entity among these, from 1; 0 where a part of its key is missing.
    """

    of_store: tuple[ViewId, list[EntityKey]]
    places: list[int]


class OnlineColumns:
    """Args:
    view: of a release.
    names: the features that are wanted.
    """

    def __init__(self, view: ViewInput, names: Sequence[str]) -> None:
        self._view = view
        self._keys = EntityKeys(view.keys)
        self._codec = VectorCodec(layout_of(view))
        kinds = dict(view.kinds)
        self._wanted = [(view.features[name], kinds[name], self._codec.names.index(name)) for name in names]

    def asked(self, rows: pl.DataFrame) -> AskedRows:
        """Which entities the rows name.

        Args:
            rows: with the keys.

        Raises:
            DataError: a key is of another type, or written otherwise.
        """
        places: dict[EntityKey, int] = {}
        named = [Key(key.name, key.kind, key.numerals) for key in self._view.keys]
        values = event_keys(rows, self._view.view, named)
        # Times as microseconds; all else is as it is.
        plain = [one.to_physical().to_list() for one in values]
        found = self._keys.of_columns(plain)
        of_row = [0 if key is None else places.setdefault(key, len(places) + 1) for key in found]
        return AskedRows((self._view.id, list(places)), of_row)

    def columns(self, asked: AskedRows, vectors: Sequence[Vector | None], now: datetime) -> Iterator[pl.Series]:
        """The features of the rows, by the names that the release has for them.

        Args:
            vectors: what the store said.

        Raises:
            StoreError: a vector is damaged.
        """
        moment = microseconds(now)
        read = [self._codec.absent, *(self._codec.read(vector, moment)[1] for vector in vectors)]
        places = pl.Series(asked.places, dtype=pl.UInt32)
        for name, kind, place in self._wanted:
            values = feature_series(HARMLESS, kind, [one[place] for one in read])
            yield values.gather(places).alias(name)
