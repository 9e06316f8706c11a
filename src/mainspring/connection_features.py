"""A project's feature views, for notebooks, the command line and the loop: data frames in, data frames out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mainspring.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.feature_view import FeatureRef, FeatureView
    from mainspring.domain.materialised import Materialised
    from mainspring.domain.ports_features import ViewId
    from mainspring.features.filling import Filler
    from mainspring.features.push import Pushed, Target
    from mainspring.features.rows import Offline
    from mainspring.project import Project
    from mainspring.workspace import Workspace


class Features:
    """The views that `model.py` declares.

    Args:
        project: its `model.py` runs when a view is first asked for.
    """

    def __init__(self, workspace: Workspace, project: Project) -> None:
        self._workspace = workspace
        self._project = project

    @cached_property
    def views(self) -> Mapping[str, FeatureView]:
        """By their names."""
        return dict(sorted(self._project.views.items()))

    def view(self, name: str) -> FeatureView:
        """Raises `UsageError` where there is none of that name."""
        if name in self.views:
            return self.views[name]
        cure = _meant(name, list(self.views)) if self.views else "declare one in model.py: FeatureView(…)"
        raise UsageError(f"there is no feature view {name!r}", cure=cure, where={"view": name})

    def list(self) -> pl.DataFrame:
        """The features that are declared, one a row, with what their view is and how far it has come."""
        import polars as pl

        known, now = self.newest(), self._workspace.clock.now()
        rows = []
        for view in self.views.values():
            found = known.get(view.name)
            age = None if found is None else found.age(now)
            shared = {
                "key": ", ".join(view.keys),
                "owner": view.owner,
                "description": view.description,
                "materialised": None if found is None else found.until,
                "age": None if age is None else age.total_seconds(),
                "keys": None if found is None else found.keys,
            }
            rows += [{"view": view.name, "feature": feature, **shared} for feature in self.names(view)]
        texts = ("view", "feature", "key", "owner", "description")
        schema = {
            **dict.fromkeys(texts, pl.String()),
            "materialised": pl.Datetime("us", "UTC"),
            "age": pl.Float64(),
            "keys": pl.Int64(),
        }
        return pl.DataFrame(rows, schema=schema)

    def history(
        self,
        events: pl.DataFrame | pl.LazyFrame,
        features: Sequence[str | FeatureRef] | None = None,
        *,
        time: str | None = None,
    ) -> pl.DataFrame:
        """Every event, once and in order, with the features as they were known at its time.

        Args:
            events: with the keys of the views, and the time.
            features: `creative["brightness"]`, `"creative.brightness"`, or a view's name for all of it; those of
                the model where not given.
            time: the column that says when an event happened; the model's own where not given.

        Raises:
            UsageError: there is no such view or feature, or no time is known.
            DataError: a key or the time is absent or of another type.
            ValidationFailed: a view's source breaks what its schema promises.
            FeatureError: a function of a view failed.
        """
        from mainspring.features.definition import by_view
        from mainspring.features.history import history

        time = time or self._project.model.source.time
        if time is None:
            raise UsageError(
                "it is not known when the events happened", cure="name the column: history(events, time=…)"
            )
        refs = self._project.model.view_features if features is None else self.refs(features)
        if not refs:
            raise UsageError(
                "the model takes no features of views", cure=f"name some of: {', '.join(self._known())}"
            )
        offline, taken = self.offline, {}
        for name, (view, _) in by_view(refs).items():
            taken[name] = offline.take(view)
            offline.hold(view, taken[name])
        return history(events, refs, offline, time=time, taken=taken)

    def get(self, view: str, keys: pl.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        """What the online store answers of these entities now, in their order: the keys, the features,
        `event_time` and `outcome` (`found`, `expired` or `missing`).

        Args:
            keys: a frame of them, or one or several as dictionaries.

        Raises:
            UsageError: there is no such view, a key is absent, or the view was never materialised.
            InvalidInput: a key of another type; row and field are named.
            StoreError: the online store does not answer.
        """
        from mainspring.features.online_values import online_values

        declared = self.view(view)
        return online_values(
            self._workspace.online, self.offline.definition(declared), keys, self._workspace.clock.now()
        )

    def push(self, view: str, rows: Any, ids: Sequence[str] | None = None, *, texts: bool = False) -> Pushed:
        """Add rows to a view, and bring the online store up to them.

        Args:
            rows: a frame of Polars or pandas, with the columns of the view's source: its keys and times at least.
            ids: of each row an id, by which it counts once however often it is sent. Made of what the rows say
                where not given, so that sending the same rows again changes nothing.
            texts: whether texts are read as numbers, as those of files are.

        Raises:
            UsageError: there is no such view, or it is over another one, or an id is none.
            SourceFormatError, ValueParseError, ValidationFailed: a column or a value that does not fit, or breaks
                what the view's schema promises; nothing was stored.
            DataError: a column is of another kind than that of the rows that were pushed before.
            StoreError: a store does not answer; rows may be pushed again, each counts once.
        """
        from mainspring.features.promises import of_rows
        from mainspring.features.push import (
            check_pushed,
            checked_ids,
            derived_ids,
            push_frame,
            record_rows,
            typed_rows,
        )

        declared = self.view(view)
        target = self.target(view)
        typed = typed_rows(_polars(rows), target.schema, target.needed, view, texts=texts)
        check_pushed(self._workspace.tables, view, target.schema)
        remarks = tuple(one.told() for one in of_rows(view, typed, target.schema))
        given = derived_ids(typed) if ids is None else checked_ids(ids, typed.height)
        frame = push_frame(typed, given, self._workspace.clock.now(), created=target.created)
        pushed = record_rows(self._workspace.tables, view, frame)
        for one in self.over(declared):
            self.filler.fill(one, only_pushed=True)
        return replace(pushed, remarks=remarks)

    def materialize(
        self, *views: str, full: bool = False, written: Callable[[int], object] | None = None
    ) -> Sequence[Materialised]:
        """Bring the online store up to now; all views where none is named.

        Args:
            full: look at every entity, whatever is known of earlier times.
            written: told by how many more the entities that were written are, now and then.

        Raises:
            UsageError: there is no such view.
            WorkspaceBusy: another process does it.
            DataError, FeatureError: a view's rows are not what they should be.
            StoreError: a store does not answer.
        """
        chosen = [self.view(name) for name in views or self.views]
        return [self.filler.fill(view, full=full, written=written or _nothing) for view in chosen]

    def freshness(self) -> pl.DataFrame:
        """How far each view has come in the online store, and how old what it knows is, in seconds."""
        import polars as pl

        now = self._workspace.clock.now()
        rows = []
        for name in self.views:
            found = self.newest().get(name)
            age = None if found is None else found.age(now)
            rows.append(
                {
                    "view": name,
                    "state": None if found is None else str(found.state),
                    "materialised": None if found is None else found.until,
                    "newest_event": None if found is None else found.newest_event,
                    "age": None if age is None else age.total_seconds(),
                    "allowed": self.views[name].freshness,
                    "stale": found is not None and found.is_stale(now),
                }
            )
        moment = pl.Datetime("us", "UTC")
        schema: dict[str, Any] = {
            "view": pl.String,
            "state": pl.String,
            "materialised": moment,
            "newest_event": moment,
            "age": pl.Float64,
            "allowed": pl.String,
            "stale": pl.Boolean,
        }
        return pl.DataFrame(rows, schema=schema)

    # What the verbs and the loop use besides.

    @cached_property
    def offline(self) -> Offline:
        return self._workspace.offline(self._project)

    @cached_property
    def filler(self) -> Filler:
        from mainspring.features.filling import Filler

        workspace = self._workspace
        return Filler(
            self.offline, workspace.online, workspace.records, workspace.tables, workspace.clock, self._needed
        )

    def newest(self) -> dict[str, Materialised]:
        """By view how far its newest definition has come."""
        found: dict[str, Materialised] = {}
        for one in self._workspace.records.feature_views():
            found.setdefault(one.view, one)
        return found

    def names(self, view: FeatureView) -> Sequence[str]:
        """The view's features, also where they follow from its source."""
        return list(view) if not view.takes_all_columns else self.offline.definition(view).names

    def refs(self, features: Sequence[str | FeatureRef]) -> Sequence[FeatureRef]:
        """The features that are named: `VIEW.FEATURE`, or `VIEW` for all of it."""
        found: list[FeatureRef] = []
        for named in features:
            if not isinstance(named, str):
                found.append(named)
                continue
            name, separator, feature = named.partition(".")
            view = self.view(name)
            for one in [feature] if separator else self.names(view):
                if one not in self.names(view):
                    raise UsageError(
                        f"the view {name!r} has no feature {one!r}",
                        cure=_meant(one, self.names(view)),
                        where={"view": name, "feature": one},
                    )
                found.append(view[one])
        return found

    def target(self, view: str) -> Target:
        """What rows that are pushed to a view are.

        Raises:
            UsageError: there is no such view, or it is over another one.
        """
        from mainspring.features.definition import created_column, time_column
        from mainspring.features.push import Target

        declared = self.view(view)
        if declared.base is not declared:
            raise UsageError(
                f"the view {view!r} is made of the rows of the view {declared.base.name!r}",
                cure=f"push to {declared.base.name!r}; {view!r} follows",
                where={"view": view},
            )
        time, created = time_column(declared), created_column(declared)
        assert time is not None, "the declaration was checked"
        return Target(view, self.offline.schema(declared), (*declared.keys, time), created)

    def over(self, view: FeatureView) -> Sequence[FeatureView]:
        """The view and those that are made of its rows."""
        return [one for one in self.views.values() if one.base is view]

    def _known(self) -> Sequence[str]:
        return [f"{view.name}.{feature}" for view in self.views.values() for feature in self.names(view)]

    def _needed(self) -> Collection[ViewId]:
        """The definitions that sealed releases name."""
        catalogue, records = self._workspace.catalogue, self._workspace.records
        return {view.id for record in records.releases() for view in catalogue.manifest(record).views}


def _nothing(entities: int) -> None:
    """Told how many entities were written."""


def _meant(given: str, known: Sequence[str]) -> str:
    from mainspring.features.definition import did_you_mean

    return did_you_mean(given, known)


def _polars(rows: Any) -> pl.DataFrame:
    import polars as pl

    from mainspring.data.pandas_frames import from_pandas

    if isinstance(rows, pl.DataFrame):
        return rows
    if isinstance(rows, pl.LazyFrame):
        return rows.collect()
    if hasattr(rows, "columns") and hasattr(rows, "index"):
        return from_pandas(rows)
    raise UsageError(
        f"push takes a frame, and this is of type {type(rows).__name__}", cure="give a frame of Polars or pandas"
    )
