"""The features of a release's views in the rows of a request: found by the entity's key where a row lacks them.

A worker loads this with the first release that has views.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from mainspring.domain.ports_features import EntityKey, Vector, ViewId
from mainspring.domain.release import InputField, Manifest, ViewInput
from mainspring.errors import InvalidInput, StoreError, Unavailable
from mainspring.features.keys import EntityKeys
from mainspring.features.sealed_layout import layout_of
from mainspring.features.vectors import Outcome, VectorCodec
from mainspring.serving.feature_store import Vectors

_LOG = logging.getLogger("mainspring.gateway")

Rows = Sequence[Any]


class Fetched(StrEnum):
    """What became of the features of one row that were to be found."""

    FOUND = "found"
    MISSING = "missing"  # the store knows no such entity: defaults
    EXPIRED = "expired"  # what it knows is older than the view's ttl: defaults
    LAST_KNOWN = "last_known"  # the store did not answer, and this worker had seen the entity before
    DEFAULT = "default"  # the store did not answer, and it had not


_OUTCOMES = {Outcome.FOUND: Fetched.FOUND, Outcome.MISSING: Fetched.MISSING, Outcome.EXPIRED: Fetched.EXPIRED}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The entities of one view that some rows need.

    Attributes:
        rows: the number of each such row, and its key's place among `keys`; -1 where a part of its key is missing.
    """

    view: "_View"
    keys: list[EntityKey]
    rows: list[tuple[int, int]]

    @property
    def asked(self) -> tuple[ViewId, list[EntityKey]]:
        """What the store is asked."""
        return self.view.id, self.keys


class _View:
    """One view of a release."""

    def __init__(self, declared: ViewInput, inputs: Mapping[str, InputField]) -> None:
        self.name = declared.view
        self.id = declared.id
        self.keys = EntityKeys(declared.keys)
        self.codec = VectorCodec(layout_of(declared))
        places = {name: place for place, name in enumerate(self.codec.names)}
        self.taken = [(column, places[feature]) for feature, column in declared.features.items()]
        self.columns = frozenset(declared.features.values())
        self.required = frozenset(name for name in self.columns if inputs[name].required)
        self._told = False

    def wanted(self, rows: Rows) -> Wanted | None:
        """Raises `InvalidInput` for a row that has neither the features nor the key."""
        keys: dict[EntityKey, int] = {}
        found = []
        for number, row in enumerate(rows):
            if not isinstance(row, dict) or self.columns <= row.keys():  # what is no row is for the encoder to say
                continue
            if any(name not in row for name in self.keys.names):
                self._refuse(number, row)
            key = self.keys.of_row(row, number)
            found.append((number, -1 if key is None else keys.setdefault(key, len(keys))))
        return Wanted(self, list(keys), found) if found else None

    def decoded(self, vector: Vector | None, live: bool, now: int) -> tuple[Fetched, Sequence[Any]]:
        """What becomes of an entity's features, and their values in the view's order.

        Args:
            live: the store itself said so.
        """
        try:
            outcome, values = self.codec.read(vector, now)
        except StoreError as error:  # as if the store had not answered
            if not self._told:
                self._told = True
                _LOG.error("%s", error)
            return Fetched.DEFAULT, self.codec.absent
        if live or outcome is Outcome.EXPIRED:
            return _OUTCOMES[outcome], values
        return (Fetched.LAST_KNOWN if outcome is Outcome.FOUND else Fetched.DEFAULT), values

    def _refuse(self, number: int, row: Mapping[str, Any]) -> NoReturn:
        absent = sorted(self.columns - row.keys())
        unnamed = [name for name in self.keys.names if name not in row]
        raise InvalidInput(
            f"row {number}: {_listed(absent)} of the view {self.name!r} cannot be found without "
            f"{_listed(unnamed)}",
            cure=f"send the key ({_listed(self.keys.names)}), by which features are found, or the features "
            "themselves",
            where={"row": number, "field": unnamed[0]},
        )


class ReleaseViews:
    """The views of one release.

    Args:
        manifest: of a release that has views.
    """

    def __init__(self, manifest: Manifest) -> None:
        inputs = {field.name: field for field in manifest.inputs}
        self._views = [_View(declared, inputs) for declared in manifest.views]
        self.ids: dict[ViewId, str] = {view.id: view.name for view in self._views}

    def wanted(self, rows: Rows) -> list[Wanted]:
        """What has to be found, empty where every row has its features.

        Raises:
            InvalidInput: a row that has neither a feature nor the key to find it by, or a key of another type.
        """
        return [wanted for view in self._views if (wanted := view.wanted(rows)) is not None]

    def filled(
        self, rows: Rows, wanted: Sequence[Wanted], vectors: Vectors, now: int
    ) -> tuple[list[Any], dict[tuple[str, str], int]]:
        """The rows with their features, and how many rows of each view came to which `Fetched`.

        What a row has itself stays.

        Args:
            vectors: what was read for each of `wanted`.
            now: microseconds since the epoch.

        Raises:
            InvalidInput: a feature is missing that training never saw missing.
            Unavailable: the same, because the store did not answer.
        """
        filled = list(rows)
        counts: dict[tuple[str, str], int] = {}
        for one, read in zip(wanted, vectors, strict=True):
            view = one.view
            decoded = [view.decoded(vector, live, now) for vector, live in read]
            for number, place in one.rows:
                outcome, values = decoded[place] if place >= 0 else (Fetched.MISSING, view.codec.absent)
                key = view.name, outcome.value
                counts[key] = counts.get(key, 0) + 1
                row = {column: values[slot] for column, slot in view.taken}
                row.update(filled[number])
                if view.required:
                    _check_required(view, row, number, outcome)
                filled[number] = row
        return filled, counts


def _check_required(view: _View, row: Mapping[str, Any], number: int, outcome: Fetched) -> None:
    absent = sorted(name for name in view.required if row[name] is None)
    if not absent:
        return
    what = f"row {number}: the view {view.name!r} has no {_listed(absent)} of this entity"
    where = {"row": number, "field": absent[0]}
    if outcome is Fetched.DEFAULT:
        raise Unavailable(
            f"{what} now, since the online store does not answer, and training never saw it missing",
            cure="ask again in a moment, or send its value",
            where=where,
        )
    raise InvalidInput(
        f"{what}, and training never saw it missing",
        cure=f"send its value, or declare a default: FeatureView({view.name!r}, defaults=…)",
        where=where,
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
