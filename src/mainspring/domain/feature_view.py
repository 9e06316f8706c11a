"""Feature views as declared in `model.py`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, overload

from mainspring.domain.aggregation import Aggregation
from mainspring.domain.durations import parse_duration
from mainspring.domain.schema import Personal
from mainspring.domain.source import Source
from mainspring.errors import DeclarationError

BatchFunction = Callable[[Any], Any]
Value = float | int | str | bool | None
VIEW_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
VIEW_SCHEMAS = "schemas"
"""The folder of a project that has the schemas of its views' sources."""


@dataclass(frozen=True, slots=True)
class FeatureRef:
    """One feature of a view, as a model takes it: `creative["brightness"]`.

    Attributes:
        column: its name among a model's inputs, `creative.brightness`.
    """

    view: "FeatureView"
    name: str

    @property
    def column(self) -> str:
        return f"{self.view.name}.{self.name}"

    def __repr__(self) -> str:
        return f"{self.view.name}[{self.name!r}]"


@dataclass(frozen=True, slots=True)
class FeatureFunction:
    """A plain function over a data frame that gives features.

    Attributes:
        gives: the features' names; one that gives one column is named as the function.
    """

    function: BatchFunction
    gives: tuple[str, ...]


class FeatureView:
    """Named features of one entity key, with event time and created time; the same for training and requests.

    Args:
        name: lower-case letters, digits and `_`.
        source: its rows: files, a table, a query, or another view, whose rows (keys, times and features) these
            are.
        key: the column, or columns, that name the entity; rows of the model's source and requests carry them by
            the same names.
        time: when what a row says happened; `source.time` where not given.
        created: when the row became known; where not given, a row was known when it happened.
        ttl: a value older than this counts as absent; of any age where not given.
        columns: plain columns of the source that are features; where neither these nor functions nor aggregations
            are given, all but keys and times.
        aggregations: values made of a key's events in a window of time.
        defaults: a feature's value where there is none; missing where not given.
        owner: who answers for it.
        description: what it is.
        personal: features whose values are a person's, and what becomes of them before the prediction log is
            written (`hash`, `mask` or `omit`).
        schedule: a cron expression: when `mainspring up` materialises it; only by hand where not given.
        freshness: an alert is raised when what is materialised is older than this.

    Examples:
        >>> ads = Source("ads.parquet", key="ad_id", time="created_at")
        >>> creative = FeatureView("creative", source=ads, key="ad_id", columns=["width"])
        >>> @creative.features
        ... def brightness(ads): ...
        >>> creative["brightness"].column, list(creative)
        ('creative.brightness', ['width', 'brightness'])
        >>> creative["colour"]
        Traceback (most recent call last):
        mainspring.errors.DeclarationError: the view 'creative' has no feature 'colour'; use one of: width, \
brightness
    """

    def __init__(
        self,
        name: str,
        *,
        source: "Source | FeatureView",
        key: str | Sequence[str],
        time: str | None = None,
        created: str | None = None,
        ttl: str | None = None,
        columns: Sequence[str] = (),
        aggregations: Sequence[Aggregation] = (),
        defaults: Mapping[str, Value] | None = None,
        owner: str = "",
        description: str = "",
        personal: Mapping[str, Personal | str] | None = None,
        schedule: str | None = None,
        freshness: str | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.keys = (key,) if isinstance(key, str) else tuple(key)
        self.time = time or (source.time if isinstance(source, Source) else None)
        self.created = created
        self.ttl = ttl
        self.columns = tuple(columns)
        self.aggregations = tuple(aggregations)
        self.defaults = dict(defaults or {})
        self.owner = owner
        self.description = description
        self.personal = {feature: Personal(how) for feature, how in (personal or {}).items()}
        self.schedule = schedule
        self.freshness = freshness
        self.functions: list[FeatureFunction] = []
        self.checks: dict[str, BatchFunction] = {}
        self._check()

    @property
    def base(self) -> "FeatureView":
        """Itself, or the view at the bottom of a view over views."""
        return self if isinstance(self.source, Source) else self.source.base

    @property
    def root(self) -> Source:
        """The source at the bottom, of a view over views."""
        return self.source if isinstance(self.source, Source) else self.source.root

    @property
    def lifetime(self) -> timedelta | None:
        """The `ttl`."""
        return None if self.ttl is None else parse_duration(self.ttl)

    @property
    def takes_all_columns(self) -> bool:
        """Whether its features are all columns of its source but keys and times."""
        return not (self.columns or self.functions or self.aggregations)

    def __iter__(self) -> Iterator[str]:
        """The features that are declared by name, in order; none where it takes all columns."""
        yield from self.columns
        for function in self.functions:
            yield from function.gives
        for aggregation in self.aggregations:
            yield aggregation.name

    def __getitem__(self, feature: str) -> FeatureRef:
        if not self.takes_all_columns and feature not in list(self):
            raise DeclarationError(
                f"the view {self.name!r} has no feature {feature!r}", cure=f"use one of: {', '.join(self)}"
            )
        return FeatureRef(self, feature)

    @overload
    def features(self, function: BatchFunction) -> BatchFunction: ...
    @overload
    def features(self, *, gives: Sequence[str]) -> Callable[[BatchFunction], BatchFunction]: ...
    def features(
        self, function: BatchFunction | None = None, *, gives: Sequence[str] = ()
    ) -> BatchFunction | Callable[[BatchFunction], BatchFunction]:
        """Register a function over the source's rows (a Polars frame); used as a decorator.

        It gives a series, an expression or an array with one value a row, named as the function; with
        `@view.features(gives=["a", "b"])` a frame with these columns. It sees the rows in any number of pieces
        and in any order, so a value may depend on its own row only.

        Raises:
            DeclarationError: a feature of that name is there already.
        """

        def register(function: BatchFunction) -> BatchFunction:
            self.functions.append(FeatureFunction(function, tuple(gives) or (function.__name__,)))
            self._check_names()
            return function

        return register if function is None else register(function)

    def check(self, function: BatchFunction) -> BatchFunction:
        """Register a check of the rows (a Polars frame): it gives a boolean for each row, true where it is right;
        used as a decorator. A broken one stops the materialisation and the run.

        Raises:
            DeclarationError: there is a check of that name already.
        """
        if function.__name__ in self.checks:
            raise DeclarationError(
                f"the view {self.name!r} has two checks {function.__name__!r}", cure="give each a name of its own"
            )
        self.checks[function.__name__] = function
        return function

    def _check(self) -> None:
        if not VIEW_NAME.fullmatch(self.name):
            raise DeclarationError(
                f"FeatureView({self.name!r}) is no valid name",
                cure="use 1 to 63 lower-case letters, digits and _, a letter first",
            )
        if not self.keys or not all(self.keys) or len(set(self.keys)) != len(self.keys):
            raise DeclarationError(
                f"the view {self.name!r} has no key, or one twice", cure='name its key: key="ad_id"'
            )
        if isinstance(self.source, Source) and self.time is None:
            raise DeclarationError(
                f"the view {self.name!r} does not say when its rows happened",
                cure='name the column: FeatureView(…, time="created_at"), or the source\'s time=',
            )
        for what, duration in (("ttl", self.ttl), ("freshness", self.freshness)):
            if duration is not None and parse_duration(duration) <= timedelta(0):
                raise DeclarationError(
                    f"the view {self.name!r} has a {what} of zero, so nothing would ever be there",
                    cure=f'give a longer one, e.g. {what}="7d", or leave it out',
                )
        self._check_names()

    def _check_names(self) -> None:
        names = list(self)
        twice = sorted({name for name in names if names.count(name) > 1} | set(names) & set(self.keys))
        if twice:
            raise DeclarationError(
                f"the view {self.name!r} has two columns {twice[0]!r}", cure="give each a name of its own"
            )
