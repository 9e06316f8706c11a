"""The features of views that rows lack: found by the entity's key, as the gateway finds those of requests.

Rows that say when they happened get what was known then, from history, as training rows do. Others get what is
known now, from the online store, as a request of this moment does. A column that is there counts as it is, also
where it is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from mainspring.clock import Clock
from mainspring.domain.release import InputField, Manifest, ViewInput
from mainspring.errors import SourceFormatError, UsageError

if TYPE_CHECKING:
    from mainspring.domain.feature_view import FeatureView
    from mainspring.domain.ports_features import OnlineStore
    from mainspring.features.rows import Offline


@dataclass(frozen=True, slots=True)
class ViewStores:
    """Where the features of a project's views are; nothing is opened before it is asked for.

    Attributes:
        online: what is known now.
        offline: the rows of views, of all times.
        views: those that the project declares, by name.
    """

    online: Callable[[], OnlineStore]
    offline: Callable[[], Offline]
    views: Callable[[], Mapping[str, FeatureView]]
    clock: Clock


@dataclass(frozen=True, slots=True)
class Lacking:
    """A view of which rows lack features.

    Attributes:
        features: those that they lack, by the view's names.
    """

    view: ViewInput
    features: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs of the release that they are."""
        return tuple(self.view.features[name] for name in self.features)


class Finder(Protocol):
    """Finds what rows lack; may be called from several threads.

    Attributes:
        lacking: what it finds.
        time: the column that says as of when; as of now where there is none.
        identity: the same as long as the same rows get the same features, as far as that can be told.
    """

    @property
    def lacking(self) -> Sequence[Lacking]: ...
    @property
    def time(self) -> str | None: ...
    @property
    def identity(self) -> dict[str, Any]: ...

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with their features.

        Args:
            rows: typed, with the keys of the views, and the time where there is one.

        Raises:
            DataError: a key is of another type than the view's.
            StoreError: the online store does not answer.
        """
        ...


def finder(manifest: Manifest, names: Collection[str], what: str, stores: ViewStores) -> Finder | None:
    """Finds the features that rows with these columns lack; `None` where they lack none.

    Args:
        what: the rows, in words, for errors.

    Raises:
        SourceFormatError: they have neither the features of a view nor its key.
        UsageError: they are of the past, and the project's view is no longer the one that the release takes; or
            they are of now, and the online store does not have the view.
        DataError, FeatureError, StoreError: the rows of a view cannot be read.
    """
    found = _lacking(manifest, names, what)
    if not found:
        return None
    if manifest.time is not None and manifest.time in names:
        return _History(manifest, found, manifest.time, stores)
    return _Online(manifest, found, stores)


def keys_of(found: Finder) -> list[InputField]:
    """The keys by which features are found, each once."""
    return list({key.name: key for one in found.lacking for key in one.view.keys}.values())


def _lacking(manifest: Manifest, names: Collection[str], what: str) -> list[Lacking]:
    found = []
    for view in manifest.views:
        features = tuple(name for name, column in view.features.items() if column not in names)
        if not features:
            continue
        one = Lacking(view, features)
        unnamed = [key.name for key in view.keys if key.name not in names]
        if unnamed:
            keys = ", ".join(repr(key.name) for key in view.keys)
            raise SourceFormatError(
                f"{what}: {_listed(one.columns)} of the view {view.view!r} cannot be found without "
                f"{_listed(unnamed)}",
                cure=f"add the key ({keys}), by which features are found, or the features themselves",
                where={"column": unnamed[0], "view": view.view},
            )
        found.append(one)
    return found


class _History:
    """As of each row's time, by the rows of the views as they are now."""

    def __init__(self, manifest: Manifest, lacking: Sequence[Lacking], time: str, stores: ViewStores) -> None:
        from mainspring.features.joining import Joined, Joiner

        self.lacking = lacking
        self.time: str | None = time
        self.identity: dict[str, Any] = {}
        self._one_at_a_time = Lock()  # a join takes memory for a column of all rows of a view
        offline, declared = stores.offline(), stores.views()
        views: list[Joined] = []
        for one in lacking:
            view = declared.get(one.view.view)
            if view is None:
                raise _other(manifest, one.view, f"model.py declares no view {one.view.view!r}", time)
            taken = offline.take(view)
            definition = offline.definition(view, taken)
            if definition.id != one.view.id:
                problem = f"the view {view.name!r} of {manifest.ref} was defined otherwise than in model.py now"
                raise _other(manifest, one.view, problem, time)
            views.append(Joined(definition, offline.rows(view, taken), one.features))
            self.identity[definition.id] = taken.to_dict()
        self._joiner = Joiner(views)

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        assert self.time is not None
        with self._one_at_a_time:
            return self._joiner.join(rows, time=self.time)


class _Online:
    """As of now, by the online store."""

    time: str | None = None

    def __init__(self, manifest: Manifest, lacking: Sequence[Lacking], stores: ViewStores) -> None:
        from mainspring.features.online_columns import OnlineColumns

        self.lacking = lacking
        self.identity: dict[str, Any] = {one.view.id: "now" for one in lacking}
        self._readers = [OnlineColumns(one.view, one.features) for one in lacking]
        self._store, self._clock = stores.online(), stores.clock
        for one in lacking:
            check_filled(self._store, one.view, manifest)

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        asked = [reader.asked(rows) for reader in self._readers]
        vectors = self._store.read([one.of_store for one in asked])
        now = self._clock.now()
        columns = [
            values
            for reader, one, read in zip(self._readers, asked, vectors, strict=True)
            for values in reader.columns(one, read, now)
        ]
        return rows.hstack(columns)


def check_filled(store: OnlineStore, view: ViewInput, manifest: Manifest) -> None:
    """Raises `UsageError` where the online store does not have the view as this release takes it."""
    from mainspring.features.freshness import decode_mark

    mark = decode_mark(store.marked(view.id))
    if mark is None or mark.until is None:
        raise UsageError(
            f"the view {view.view!r} is not in the online store as {manifest.ref} takes it",
            cure=f"fill it: mainspring features materialize {view.view}; or give the features themselves",
            where={"view": view.view},
        )


def _other(manifest: Manifest, view: ViewInput, problem: str, time: str) -> UsageError:
    return UsageError(
        f"{problem}, so what was known at {time!r} cannot be told",
        cure=f"leave out {time!r} to be answered by what is known now, give the features themselves, or train "
        f"{manifest.model} anew",
        where={"view": view.view, "release": str(manifest.ref)},
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
