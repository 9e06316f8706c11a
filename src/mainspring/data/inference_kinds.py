"""One column of raw values → what it is, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from mainspring.data.columns import HARMLESS
from mainspring.data.inference_times import find_epoch, find_time_format
from mainspring.data.inference_words import (
    FALSE,
    MISSING_AMONG_NUMBERS,
    MISSING_ANYWHERE,
    TRUE,
    names_a_time,
    names_an_id,
)
from mainspring.data.parsing import BLANKS, as_text
from mainspring.domain.schema import Column, Kind

_WHOLE = r"^[+-]?(0|[1-9]\d*)$"
_PADDED = r"^[+-]?0\d+$"
_POINT = r"^[+-]?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?$"
_COMMA = r"^[+-]?((0|[1-9]\d*)|[1-9]\d{0,2}(\.\d{3})+)?(,\d*)?([eE][+-]?\d+)?$"
_ODD = r"(?i)^[+-]?(inf|infinity|nan)$"
_IMAGE = r"(?i)\.(png|jpe?g|gif|webp|bmp|tiff?)$"
_STRAY = 0.01  # up to this share of unreadable values, a column of numbers or times has mistakes in it
_MOST_CATEGORIES = 1_000
_LONGEST_LABEL = 100  # characters, on average
_FEW = 20


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column seems to be; `reason` is for people."""

    column: Column
    reason: str


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of a column besides its values.

    Attributes:
        target: whether it is to be predicted.
        time: whether the user named it as the time.
        image: whether the source declares that it holds paths of pictures.
        strings: its values are strings by their own type, so a number among them is a text.
        decimal: the character before the fraction of a number.
    """

    target: bool = False
    time: bool = False
    image: bool = False
    strings: bool = False
    decimal: str = "."


def guess_kind(raw: pl.Series, hints: Hints) -> Guess:
    """What a column of raw values is.

    Examples:
        >>> guess_kind(pl.Series("zip", ["00501", "10001", "00501"]), Hints()).column.kind
        <Kind.CATEGORY: 'category'>
        >>> guess_kind(pl.Series("age", ["39", "?", "28"]), Hints()).column
        ... # doctest: +ELLIPSIS
        Column(name='age', kind=<Kind.INTEGER: 'integer'>, missing=('?',), ...)
    """
    name, raw = raw.name, raw.alias(HARMLESS)
    if isinstance(raw.dtype, pl.Categorical | pl.Enum):
        raw, hints = raw.cast(pl.String), replace(hints, strings=True)
    if raw.dtype != pl.String:
        return _by_type(name, raw, hints)
    present = raw.drop_nulls()
    stripped = present.str.strip_chars(BLANKS)
    texts = _Texts(
        name=name,
        rows=raw.len(),
        strip=bool((stripped != present).any()),
        present=stripped,
        quoted_empty=bool((present == "").any()),
        hints=hints,
    )
    return _by_text(texts)


@dataclass(frozen=True, slots=True)
class _Texts:
    name: str
    rows: int
    strip: bool
    present: pl.Series  # stripped, without the absent ones
    quoted_empty: bool
    hints: Hints

    def column(self, kind: Kind, tokens: frozenset[str], **fields: object) -> Column:
        seen = self.present.filter(self.present.is_in([*tokens, ""])).unique().sort().to_list()
        return Column(self.name, kind, missing=tuple(seen), strip=self.strip, **fields)  # type: ignore[arg-type]

    def guess(self, kind: Kind, reason: str, **fields: object) -> Guess:
        """A guess of a kind in which every word for missing is one."""
        column = self.column(kind, MISSING_ANYWHERE | MISSING_AMONG_NUMBERS, **fields)
        return Guess(column, reason + self.told(column.missing))

    def told(self, missing: tuple[str, ...]) -> str:
        parts = []
        for token in missing:
            count = int((self.present == token).sum())
            parts.append(f"{'a blank' if token == '' else repr(token)} means missing ({count:,} rows)")
        return "".join(f"; {part}" for part in parts) + ("; blanks around it are dropped" if self.strip else "")


def _by_text(texts: _Texts) -> Guess:
    tokens = [*MISSING_ANYWHERE, *MISSING_AMONG_NUMBERS, ""]
    values = texts.present.filter(~texts.present.is_in(tokens))
    if texts.hints.image:
        return _label(texts, Kind.IMAGE, "declared as the paths of pictures")
    if not values.len():
        return _label(texts, Kind.CATEGORY, "every value is missing" if not texts.present.len() else "only blanks")
    if not texts.hints.strings and (guess := _number(texts, values)):
        return guess
    if guess := _boolean(texts, values) or _time(texts, values):
        return guess
    return _text(texts)


def _number(texts: _Texts, values: pl.Series) -> Guess | None:
    counts = values.value_counts()
    unique, count = counts.get_column("value"), counts.get_column("count")
    total = values.len()
    sound = unique.str.contains(_COMMA if texts.hints.decimal == "," else _POINT) & unique.str.contains(r"\d")
    odd = unique.str.contains(_ODD)
    bad = ~(sound | odd)
    share_bad, share_sound = _weight(count, bad) / total, _weight(count, sound) / total
    whole = unique.filter(sound).str.contains(_WHOLE)
    fractional = bool((~whole).any())
    if share_sound < 0.5 or unique.filter(bad).str.contains(_PADDED).any():
        return None
    # `C1234` among invoice numbers is an id and no mistake; `thirty` among ages is one.
    if share_bad > _STRAY or (not fractional and unique.filter(bad).str.contains(r"\d").any()):
        return None
    mistakes = "" if share_bad == 0 else f"; {_weight(count, bad):,} values are none and must be mended"
    if fractional or odd.any():
        form = "with a decimal comma" if texts.hints.decimal == "," else "with a decimal point"
        return _epoch(texts, unique.filter(sound)) or texts.guess(
            Kind.NUMBER, (f"numbers, some {form}" if fractional else "numbers") + mistakes
        )
    integers = unique.filter(sound).cast(pl.Int64, strict=False)
    if integers.null_count():
        return _label(texts, Kind.ID, "more digits than a 64-bit integer holds, so they are kept as text")
    return _epoch(texts, unique.filter(sound)) or _integer(texts, values, mistakes)


def _integer(texts: _Texts, values: pl.Series, mistakes: str) -> Guess:
    distinct = values.n_unique()
    if (
        not texts.hints.target
        and not texts.hints.time
        and distinct == texts.rows
        and texts.rows > 2
        and not mistakes
    ):
        numbers = values.cast(pl.Int64)
        if numbers.is_sorted() and numbers[-1] - numbers[0] == texts.rows - 1 and numbers[0] in (0, 1):
            return _label(texts, Kind.ID, f"counts the rows from {numbers[0]}")
        if names_an_id(texts.name):
            return _label(texts, Kind.ID, "whole numbers, none twice, and the name says that they name things")
    if not texts.hints.target and names_an_id(texts.name, strict=True):
        if distinct > _MOST_CATEGORIES and distinct > texts.rows * 0.05:
            return _label(texts, Kind.ID, f"names one of {distinct:,} things")
        hint = '; if their order means nothing, set kind = "category"'
        return texts.guess(Kind.INTEGER, "whole numbers" + mistakes + hint)
    return texts.guess(Kind.INTEGER, "whole numbers" + mistakes)


def _epoch(texts: _Texts, unique: pl.Series) -> Guess | None:
    if texts.hints.target or not (names_a_time(texts.name) or texts.hints.time) or texts.hints.decimal == ",":
        return None
    form = find_epoch(unique.cast(pl.Float64, strict=False))
    if form is None:
        return None
    unit = "seconds" if form == "epoch_s" else "milliseconds"
    reason = f"the name says a time, and as {unit} since 1970 all values lie between 1990 and 2100"
    return texts.guess(Kind.TIME, reason, time_format=form)


def _boolean(texts: _Texts, values: pl.Series) -> Guess | None:
    unique = values.unique().sort().to_list()
    true = tuple(text for text in unique if text.lower() in TRUE)
    false = tuple(text for text in unique if text.lower() in FALSE)
    if len(true) + len(false) < len(unique):
        return None
    if not (true and false) and not {text.lower() for text in unique} <= {"true", "false"}:
        return None
    spelled = {text.lower() for text in (*true, *false)}
    if texts.hints.target and len(unique) == 2 and not spelled & {"true", "false"}:
        return None  # a target keeps its own labels, so that answers speak the data's words
    listed = ", ".join(repr(text) for text in (*true, *false))
    return texts.guess(Kind.BOOLEAN, f"only {listed}", true=true, false=false)


def _time(texts: _Texts, values: pl.Series) -> Guess | None:
    if texts.hints.target:
        return None
    found = find_time_format(values)
    if found is None or (found.share < 1 - _STRAY and not texts.hints.time):
        return None
    bad = round((1 - found.share) * values.len())
    mistakes = f"; {bad:,} values are none and must be mended" if bad else ""
    return texts.guess(
        Kind.TIME, found.reason + ", without a zone taken as UTC" + mistakes, time_format=found.form
    )


def _text(texts: _Texts) -> Guess:
    column = _label_column(texts, Kind.CATEGORY)
    values = texts.present.filter(~texts.present.is_in(list(column.missing)))
    total, distinct = values.len(), values.n_unique()
    if not total:
        return _label(texts, Kind.CATEGORY, "only words for missing")
    if texts.hints.target:
        return _target_labels(texts, values)
    if values.str.contains(_IMAGE).sum() >= 0.95 * total:
        return _label(texts, Kind.IMAGE, "the values end like names of pictures")
    length = float(values.str.len_chars().mean() or 0)  # type: ignore[arg-type]
    compact = not values.str.contains(r"\s").any() and length <= 64
    unique_share = distinct / total
    if compact and unique_share >= 0.95 and total >= _FEW:
        return _label(texts, Kind.ID, f"{distinct:,} different words without blanks in {total:,} rows")
    if (
        compact
        and names_an_id(texts.name, strict=True)
        and (distinct == total or (distinct > _MOST_CATEGORIES and unique_share > 0.05))
    ):
        return _label(texts, Kind.ID, f"the name says an id, and it has {distinct:,} different values")
    few = distinct <= _FEW or unique_share <= 0.5
    if few and length <= _LONGEST_LABEL and (distinct <= _MOST_CATEGORIES or compact):
        zeros = "; leading zeros are kept" if values.str.contains(_PADDED).any() else ""
        return _label(texts, Kind.CATEGORY, f"{distinct:,} different labels{zeros}")
    return _label(
        texts, Kind.TEXT, f"free text: {distinct:,} different values, {length:,.0f} characters on average"
    )


def _target_labels(texts: _Texts, values: pl.Series) -> Guess:
    labels = set(values.unique().to_list())
    dotted = {label for label in labels if label.endswith(".") and len(label) > 1}
    # Labels with a dot at the end in one file and without it in another are the same labels.
    merge = not dotted or dotted == labels or all(label[:-1] in labels for label in dotted)
    told = (
        f"; the dot at the end of {', '.join(sorted(map(repr, dotted))[:2])} is dropped"
        if dotted and merge
        else ""
    )
    plain = {label.removesuffix(".") for label in labels} if merge else labels
    column = replace(_label_column(texts, Kind.CATEGORY), drop_dot=merge)
    return Guess(column, f"{len(plain):,} different labels{told}" + texts.told(column.missing))


def _label(texts: _Texts, kind: Kind, reason: str) -> Guess:
    column = _label_column(texts, kind)
    return Guess(column, reason + texts.told(column.missing))


def _label_column(texts: _Texts, kind: Kind) -> Column:
    """A column of text, in which fewer words mean missing than among numbers."""
    column = texts.column(kind, MISSING_ANYWHERE)
    missing = set(column.missing)
    absent = texts.present.len() < texts.rows
    if absent and texts.quoted_empty:  # both are in the file, so an empty text is not an absent one
        missing.discard("")
    others = texts.present.filter(~texts.present.is_in(list(missing)))
    if "NA" in missing and others.len() and others.str.contains(r"^[A-Z]{2}$").all():
        missing.discard("NA")  # one two-letter code among others: Namibia, North America
    return replace(column, missing=tuple(text for text in column.missing if text in missing))


def _by_type(name: str, raw: pl.Series, hints: Hints) -> Guess:
    kind, reason = _kind_of_type(raw)
    form = None
    texts = as_text(raw).drop_nulls() if kind is Kind.INTEGER else None
    if texts is not None and texts.len():
        guess = _by_text(_Texts(name, raw.len(), False, texts, False, replace(hints, strings=False)))
        kind, form = guess.column.kind, guess.column.time_format
        if kind is Kind.BOOLEAN or kind is Kind.CATEGORY:
            kind = Kind.INTEGER
        reason = f"{reason}; {guess.reason}" if kind is not Kind.INTEGER else reason
    return Guess(Column(name, kind, time_format=form), reason)


def _kind_of_type(raw: pl.Series) -> tuple[Kind, str]:
    dtype = raw.dtype
    stored = f"stored as {str(dtype).split('(')[0].lower()}"
    if dtype == pl.Boolean:
        return Kind.BOOLEAN, stored
    if dtype.is_integer():
        if dtype == pl.UInt64 and (raw > 2**63 - 1).any():
            return Kind.ID, f"{stored}, beyond a signed 64-bit integer, so kept as text"
        return Kind.INTEGER, stored
    if dtype.is_float():
        return Kind.NUMBER, f"{stored}; NaN means missing" if raw.is_nan().any() else stored
    if dtype.is_decimal():
        whole = getattr(dtype, "scale", None) == 0 and (getattr(dtype, "precision", None) or 38) > 18
        return (Kind.ID, f"{stored} of many digits, so kept as text") if whole else (Kind.NUMBER, stored)
    if dtype in (pl.Date, pl.Datetime):
        zone = getattr(dtype, "time_zone", None)
        return Kind.TIME, stored if zone or dtype == pl.Date else f"{stored}, without a zone taken as UTC"
    if dtype == pl.Null:
        return Kind.CATEGORY, "every value is missing"
    return Kind.TEXT, f"{stored}, kept as its text"


def _weight(count: pl.Series, mask: pl.Series) -> int:
    return int(count.filter(mask).sum())
