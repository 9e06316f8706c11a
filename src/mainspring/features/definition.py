"""A declared feature view with its columns resolved: what its keys and features are, and its digest.

No frames: whoever reads vectors needs it, and may have none.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.domain.feature_view import FeatureFunction, FeatureRef, FeatureView, Value
from mainspring.domain.ids import digest_json
from mainspring.domain.ports_features import ViewId
from mainspring.domain.schema import Kind
from mainspring.errors import DataError, DeclarationError
from mainspring.features.code import code_digest
from mainspring.features.vectors import FORMAT

EVENT_TIME = "__event_time"
CREATED_TIME = "__created_time"
ORDER = "__order"
RESERVED = "__"
"""Names that begin so are ours."""

_SUMMED = (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN)
_ORDERED = (Kind.NUMBER, Kind.INTEGER, Kind.TIME)
_KEYS = (Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY, Kind.TEXT, Kind.ID, Kind.TIME)


@dataclass(frozen=True, slots=True)
class Key:
    """A column that names the entity, or one of several that do so together.

    Attributes:
        numerals: of a text, whether each value is a whole number in plain digits, so that a number names it, too.
    """

    name: str
    kind: Kind
    numerals: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature.

    Attributes:
        kind: of its values.
        default: its value wherever there is none: no row, an expired one, or a missing value in it.
        aggregation: how it is made of events; `None` where it is a row's own value.
        of: the kind of the aggregated column; `None` for a count.
    """

    name: str
    kind: Kind
    default: Value = None
    aggregation: Aggregation | None = None
    of: Kind | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A view as history, materialisation and vectors know it.

    Attributes:
        id: the name and twelve digits of the digest of all that decides its values.
        columns: what a row of the view has besides keys and times: its own features, and what its aggregations
            are made of; name → kind.
        ttl: a row's own value that is older counts as absent. Windows have an end of their own.
        late: whether a row may become known later than it happened: the view has a column that says when.
    """

    id: ViewId
    name: str
    keys: tuple[Key, ...]
    features: tuple[Feature, ...]
    columns: Mapping[str, Kind]
    ttl: timedelta | None
    late: bool = False

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.keys)

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def plain(self) -> tuple[Feature, ...]:
        """The features that are a row's own values."""
        return tuple(feature for feature in self.features if feature.aggregation is None)

    @property
    def aggregated(self) -> tuple[Feature, ...]:
        return tuple(feature for feature in self.features if feature.aggregation is not None)

    def __getitem__(self, name: str) -> Feature:
        for feature in self.features:
            if feature.name == name:
                return feature
        raise DataError(
            f"the view {self.name!r} has no feature {name!r}",
            cure=did_you_mean(name, self.names),
            where={"view": self.name, "feature": name},
        )

    def column(self, feature: str) -> str:
        """The feature's name in a joined frame, `VIEW.FEATURE`."""
        return f"{self.name}.{feature}"


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The cure of a name that is not known.

    Examples:
        >>> did_you_mean("brigthness", ["width", "brightness"]), did_you_mean("x", ["width"])
        ("did you mean 'brightness'?", 'use one of: width')
    """
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known)}"


def define(
    view: FeatureView,
    rows: Mapping[str, Kind],
    results: Mapping[str, Kind],
    numerals: Collection[str] = (),
) -> Definition:
    """Resolve a view against the columns of its rows.

    Args:
        rows: the columns of its source and their kinds; of a view over a view those that `row_columns` tells.
        results: the kinds of what its functions give.
        numerals: the columns of texts that are whole numbers in plain digits.

    Raises:
        DeclarationError: it names a column that is not there, or aggregates what cannot be.
    """
    _check_named(view, rows)
    keys = tuple(Key(name, _key_kind(view, name, rows[name]), name in numerals) for name in view.keys)
    own = {**{name: rows[name] for name in plain_columns(view, rows)}, **results}
    features = [Feature(name, kind, view.defaults.get(name)) for name, kind in own.items()]
    known = {**rows, **results}
    for aggregation in view.aggregations:
        of = None if aggregation.column is None else known[aggregation.column]
        kind = aggregated_kind(view, aggregation, of)
        features.append(Feature(aggregation.name, kind, view.defaults.get(aggregation.name), aggregation, of))
    by_name = {feature.name: feature for feature in features}
    ordered = [by_name[name] for name in view] if not view.takes_all_columns else features
    _check_defaults(view, by_name)
    needed = {name: known[name] for name in aggregated_columns(view)}
    return Definition(
        id=f"{view.name}-{_digest(view, rows, numerals)[:12]}",
        name=view.name,
        keys=keys,
        features=tuple(ordered),
        columns={**own, **needed},
        ttl=view.lifetime,
        late=created_column(view) is not None,
    )


def plain_columns(view: FeatureView, rows: Iterable[str]) -> tuple[str, ...]:
    """The source's columns that are features of the view."""
    if not view.takes_all_columns:
        return view.columns
    apart = {*view.keys, time_column(view), created_column(view)}
    return tuple(name for name in rows if name not in apart)


def aggregated_columns(view: FeatureView) -> tuple[str, ...]:
    """What the view's aggregations are made of, each once."""
    named = (aggregation.column for aggregation in view.aggregations)
    return tuple(dict.fromkeys(name for name in named if name is not None))


def time_column(view: FeatureView) -> str | None:
    """The column that says when a row happened; of a view over a view its base's, where it names none."""
    if view.time is None and isinstance(view.source, FeatureView):
        return time_column(view.source)
    return view.time


def created_column(view: FeatureView) -> str | None:
    """The column that says when a row became known, likewise; `None` where rows are known when they happen."""
    if view.created is None and isinstance(view.source, FeatureView):
        return created_column(view.source)
    return view.created


def row_columns(base: FeatureView, definition: Definition, rows: Mapping[str, Kind]) -> dict[str, Kind]:
    """What the rows of a view over this one have: its keys, times and features.

    Args:
        rows: the columns of the base's own source.
    """
    times = (name for name in (time_column(base), created_column(base)) if name is not None)
    return {
        **{key.name: key.kind for key in definition.keys},
        **{name: rows[name] for name in times},
        **{feature.name: feature.kind for feature in definition.features},
    }


def by_view(refs: Iterable[FeatureRef]) -> dict[str, tuple[FeatureView, tuple[str, ...]]]:
    """The features that are asked for of each view, in order.

    Raises:
        DeclarationError: a feature is asked for twice, or two views have one name.
    """
    found: dict[str, tuple[FeatureView, list[str]]] = {}
    for ref in refs:
        view, names = found.setdefault(ref.view.name, (ref.view, []))
        if view is not ref.view:
            raise DeclarationError(
                f"there are two views {ref.view.name!r}", cure="give each view a name of its own"
            )
        if ref.name in names:
            raise DeclarationError(f"the feature {ref.column!r} is asked for twice", cure="name it once")
        names.append(ref.name)
    return {name: (view, tuple(names)) for name, (view, names) in found.items()}


def aggregated_kind(view: FeatureView, aggregation: Aggregation, of: Kind | None) -> Kind:
    """The kind of an aggregate of a column of that kind.

    Raises:
        DeclarationError: there is no such aggregate of it.
    """
    function = AggregateFunction(aggregation.function)
    if of is None or function in (AggregateFunction.COUNT, AggregateFunction.DISTINCT):
        return Kind.INTEGER
    if function is AggregateFunction.LAST:
        return of
    if function in (AggregateFunction.SUM, AggregateFunction.MEAN):
        allowed, wanted, kind = _SUMMED, "numbers", Kind.NUMBER
    else:
        allowed, wanted, kind = _ORDERED, "numbers or times", of
    if of not in allowed:
        raise DeclarationError(
            f"the view {view.name!r} takes the {function} of {aggregation.column!r}, which holds no {wanted} "
            f"but values of kind {of}",
            cure=f"take last, distinct or count of it, or give a column of {wanted}",
            where={"view": view.name, "column": aggregation.column},
        )
    return kind


def _check_named(view: FeatureView, rows: Mapping[str, Kind]) -> None:
    made = {name for function in view.functions for name in function.gives}
    of_aggregations = [name for name in aggregated_columns(view) if name not in made]
    times = [("time", name) for name in (time_column(view), created_column(view)) if name is not None]
    named = [
        *(("key", name) for name in view.keys),
        *times,
        *(("column", name) for name in (*view.columns, *of_aggregations)),
    ]
    for what, name in named:
        if name not in rows:
            raise DeclarationError(
                f"the view {view.name!r} names the {what} {name!r}, which its source does not have",
                cure=did_you_mean(name, list(rows)),
                where={"view": view.name, "column": name},
            )
    for _, name in times:
        if rows[name] is not Kind.TIME:
            raise DeclarationError(
                f"the view {view.name!r} takes {name!r} for a time, but it is of kind {rows[name]}",
                cure=f'write kind = "time" and its time_format for {name!r} in schemas/{view.name}.toml, '
                "or name another column",
                where={"view": view.name, "column": name},
            )
    taken = [name for name in (*rows, *made) if name.startswith(RESERVED)]
    if taken:
        raise DeclarationError(
            f"the view {view.name!r} has a column {taken[0]!r}; names that begin with two underscores are taken",
            cure="rename it in the source",
            where={"view": view.name, "column": taken[0]},
        )
    both = sorted(made & set(rows))
    if both:
        raise DeclarationError(
            f"the view {view.name!r} has a function that gives {both[0]!r}, and its source has a column of that "
            "name",
            cure="name the function's feature otherwise",
            where={"view": view.name, "column": both[0]},
        )


def _key_kind(view: FeatureView, name: str, kind: Kind) -> Kind:
    if kind not in _KEYS:
        raise DeclarationError(
            f"the key {name!r} of the view {view.name!r} is of kind {kind}, which names no entity",
            cure=f'write kind = "id" or "integer" for it in schemas/{view.name}.toml, or name another key',
            where={"view": view.name, "column": name},
        )
    return kind


_DEFAULTS: dict[Kind, tuple[type, ...]] = {
    Kind.NUMBER: (int, float),
    Kind.INTEGER: (int,),
    Kind.BOOLEAN: (bool,),
}


def _check_defaults(view: FeatureView, features: Mapping[str, Feature]) -> None:
    for name, value in view.defaults.items():
        if name not in features:
            raise DeclarationError(
                f"the view {view.name!r} has a default of {name!r}, which is no feature of it",
                cure=did_you_mean(name, list(features)),
            )
        kind = features[name].kind
        wanted = _DEFAULTS.get(kind, (str,))
        if value is None:
            continue
        fitting = isinstance(value, wanted) and isinstance(value, bool) == (kind is Kind.BOOLEAN)
        if isinstance(value, float):
            fitting = fitting and math.isfinite(value)
        if fitting and (kind is not Kind.TIME or _is_time(str(value))):
            continue
        raise DeclarationError(
            f"the default {value!r} of {name!r} in the view {view.name!r} is not of its kind, {kind}",
            cure=f"give a value of kind {kind}",
        )


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _digest(view: FeatureView, rows: Mapping[str, Kind], numerals: Collection[str]) -> str:
    """SHA-256 of all that decides what the view's values are, its rows given."""
    base = view.source
    lifetime = view.lifetime
    return digest_json(
        {
            "format": FORMAT,
            "base": None if not isinstance(base, FeatureView) else _digest(base, {}, ()),
            "keys": list(view.keys),
            "times": [time_column(view), created_column(view)],
            "columns": list(plain_columns(view, rows)),
            "kinds": _kinds_used(view, rows),
            "functions": [_function(function) for function in view.functions],
            "aggregations": [
                [str(a.function), a.column, a.length.total_seconds(), a.name] for a in view.aggregations
            ],
            "ttl": None if lifetime is None else lifetime.total_seconds(),
            "defaults": view.defaults,
            # Another answer to a number that names the entity; told only where it is so.
            **({"numerals": named} if (named := [name for name in view.keys if name in numerals]) else {}),
        }
    )


def _kinds_used(view: FeatureView, rows: Mapping[str, Kind]) -> dict[str, str]:
    """The kinds of the columns that the view names; of all where a function sees them all."""
    named = {*view.keys, *plain_columns(view, rows), *aggregated_columns(view)}
    return {name: str(kind) for name, kind in rows.items() if view.functions or name in named}


def _function(function: FeatureFunction) -> list[object]:
    return [list(function.gives), code_digest(function.function)]
