"""Texts that look like times → the format that reads them, decided by the evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from mainspring.data.parsing_times import parse_times

_LOOKED_AT = 500
_ISO = re.compile(r"[+-]?\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?)?")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", ", %H:%M")
_YEAR_FIRST = ("%Y/%m/%d", "%Y.%m.%d")
_SPELLED = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y", "%d/%b/%Y")
_LOCAL = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)(.*)")
_MONTH = re.compile(r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\b")
_SECONDS = (631_152_000, 4_102_444_800)  # from 1990 to 2100


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A format and the share of the texts that it reads.

    Attributes:
        reason: why this one, for people.
    """

    form: str
    share: float
    reason: str


def find_time_format(texts: pl.Series) -> TimeFormat | None:
    """The best format for texts without missing ones, in the order of the rows; `None` where none reads half.

    Examples:
        >>> find_time_format(pl.Series(["31.12.2024", "01.01.2025"]))
        TimeFormat(form='%d.%m.%Y', share=1.0, reason='dates as day.month.year')
        >>> find_time_format(pl.Series(["12/31/2024", "01/02/2025"])).form
        '%m/%d/%Y'
    """
    head = texts.unique(maintain_order=True).head(_LOOKED_AT)
    if not head.len() or not head.str.contains(r"\d").all():
        head = head.filter(head.str.contains(r"\d"))
    if head.len() * 2 < min(texts.n_unique(), _LOOKED_AT):
        return None
    samples = head.to_list()
    candidates: list[str] = []
    if sum(bool(_ISO.fullmatch(text)) for text in samples) * 2 >= len(samples):
        candidates.append("iso")
    local = [found for text in samples if (found := _LOCAL.fullmatch(text))]
    if len(local) * 2 >= len(samples):
        return _local(texts, local)
    if not candidates and re.match(r"\d{4}[/.]\d", samples[0]):
        candidates = [day + clock for day in _YEAR_FIRST for clock in _CLOCKS]
    if not candidates and sum(bool(_MONTH.search(text)) for text in samples) * 2 >= len(samples):
        candidates = [day + clock for day in _SPELLED for clock in _CLOCKS]
    best = max(((_share(head, form), -place, form) for place, form in enumerate(candidates)), default=None)
    if best is None or best[0] < 0.5:
        return None
    form = best[2]
    return TimeFormat(form, _share(texts, form), "ISO 8601 times" if form == "iso" else f"times as {form}")


def find_epoch(numbers: pl.Series) -> str | None:
    """`epoch_s` or `epoch_ms` where all numbers lie between 1990 and 2100 as such."""
    low, high = numbers.min(), numbers.max()
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    for form, unit in (("epoch_s", 1), ("epoch_ms", 1000)):
        if _SECONDS[0] * unit <= low and high <= _SECONDS[1] * unit:
            return form
    return None


def _local(texts: pl.Series, found: list[re.Match[str]]) -> TimeFormat | None:
    """Dates of three numbers: day first or month first?"""
    mark = found[0][2]
    year = "%Y" if len(found[0][4]) == 4 else "%y"
    day_first, month_first = (mark.join(order) for order in (("%d", "%m", year), ("%m", "%d", year)))
    clock = _clock(texts, [day_first, month_first])
    if clock is None:
        return None
    first = sum(int(match[1]) > 12 for match in found)
    second = sum(int(match[3]) > 12 for match in found)
    name = {True: f"day{mark}month{mark}year", False: f"month{mark}day{mark}year"}
    if first or second:
        by_day = first >= second
        form = (day_first if by_day else month_first) + clock
        odd = f" (a {'first' if by_day else 'second'} number above 12 shows it)" if mark == "/" else ""
        return TimeFormat(form, _share(texts, form), f"dates as {name[by_day]}{odd}")
    by_day, why = _by_order(texts, day_first + clock, month_first + clock, mark)
    form = (day_first if by_day else month_first) + clock
    reason = f"dates as {name[by_day]}, a guess: no number above 12 tells day from month; {why}"
    return TimeFormat(form, _share(texts, form), reason)


def _by_order(texts: pl.Series, day_first: str, month_first: str, mark: str) -> tuple[bool, str]:
    if mark == ".":
        return True, "nobody writes the month first with dots"
    days, months = (parse_times(texts, form) for form in (day_first, month_first))
    rising = (days.is_sorted(), months.is_sorted())
    if rising[0] != rising[1]:
        return rising[0], "so read, the rows are in order"
    spans = [_span(series) for series in (days, months)]
    if min(spans) * 4 < max(spans):
        return spans[0] < spans[1], "so read, the days lie close together"
    return mark != "/", "it is the custom with this separator"


def _span(times: pl.Series) -> int:
    seen = times.drop_nulls().to_physical().sort()
    return int(seen[-1] - seen[0]) if seen.len() else 0


def _clock(texts: pl.Series, days: list[str]) -> str | None:
    head = texts.head(_LOOKED_AT)
    share, _, clock = max(
        (max(_share(head, day + clock) for day in days), -place, clock) for place, clock in enumerate(_CLOCKS)
    )
    return clock if share >= 0.25 else None


def _share(texts: pl.Series, form: str) -> float:
    return 1 - parse_times(texts, form).null_count() / max(texts.len(), 1)
