"""When a model is to be trained anew, and on which rows, as declared in `model.py`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.domain.cron import parse_cron
from mainspring.domain.durations import parse_duration
from mainspring.errors import DeclarationError

REASONS = ("drift", "performance", "new_data")
"""What may start a training besides a schedule, new labels, and a person."""

ALIKE = "since_change and alike"
"""What is like the rows since a change, is known only when these have been learnt from."""

OF_THE_CHANGED = ("since_change", "half_since_change")
"""The windows that have no row of before the change."""

FIRST_SIZE = "first_size"
"""As many rows were once enough for production."""

_WINDOWS = ("all", FIRST_SIZE, *OF_THE_CHANGED, "weighted since_change", ALIKE)
_ROWS = re.compile(r"[1-9]\d* rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrain:
    """What starts a training, how often at most, and what it learns from.

    Args:
        schedule: five cron fields, UTC, e.g. `0 3 * * 1`.
        on: `drift` (an alert of a drift, prediction or concept monitor), `performance` (an alert of a performance
            or estimate monitor), `new_data` (the source has changed).
        min_new_labels: as many labels since the newest training's cut start one.
        cooldown: between two trainings at least, whoever asked for them but a person.
        per_day: trainings a day (UTC) at most.
        breaker: after as many trainings in a row that brought no new champion it stops, and an alert says so
            (those that are repeated after the same change count once); a person's `mainspring run` closes it
            again.
        windows: the rows that are tried as training rows: `all`, `5000 rows`, `90d`, `first_size` (the newest,
            as many as the first release was made of), `since_change` (since the newest change that was detected),
            `half_since_change` (the newest half of these: a change that came slowly was not over when it began),
            `weighted 30d` (all, weighted by age with this half-life), `weighted since_change` (with the time since
            the change as half-life: much of what was before it may still hold), `since_change and alike` (beside
            these the rows of before that are like them: what was so may come again; it needs `since_change` too).
            With more than one, the one that does best on newer rows, which none of them has seen, is taken.
        labelled: learn also from predictions whose truth has come in, where the source does not have them.

    Raises:
        DeclarationError: one of them cannot be.
    """

    schedule: str | None = None
    on: Sequence[str] = ()
    min_new_labels: int | None = None
    cooldown: str = "6h"
    per_day: int = 4
    breaker: int = 3
    windows: Sequence[str] = _WINDOWS
    labelled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", (self.on,) if isinstance(self.on, str) else tuple(self.on))
        given = (self.windows,) if isinstance(self.windows, str) else tuple(self.windows)
        object.__setattr__(self, "windows", given)
        for reason in self.on:
            if reason not in REASONS:
                raise DeclarationError(
                    f"Retrain(on={reason!r}) is not known", cure=f"use some of: {', '.join(REASONS)}"
                )
        if self.schedule is not None:
            parse_cron(self.schedule)
        if self.min_new_labels is not None and self.min_new_labels < 1:
            raise DeclarationError("Retrain(min_new_labels) is under 1", cure="give 1 or more")
        for name, number in (("per_day", self.per_day), ("breaker", self.breaker)):
            if number < 1:
                raise DeclarationError(f"Retrain({name}) is under 1", cure="give 1 or more")
        parse_duration(self.cooldown)
        if not self.windows:
            raise DeclarationError("Retrain(windows) is empty", cure='give at least one, e.g. "all"')
        for window in self.windows:
            _check_window(window)
        if ALIKE in self.windows and "since_change" not in self.windows:
            raise DeclarationError(
                f"Retrain(windows) has {ALIKE!r}, but not 'since_change', by which it is found",
                cure='add "since_change"',
            )

    @property
    def is_automatic(self) -> bool:
        """Whether anything but a person starts a training."""
        return bool(self.schedule or self.on or self.min_new_labels)


def _check_window(window: str) -> None:
    if window in _WINDOWS or _ROWS.fullmatch(window):
        return
    try:
        parse_duration(window.removeprefix("weighted "))
    except DeclarationError as error:
        raise DeclarationError(
            f"Retrain(windows={window!r}) is no window of rows",
            cure=f"use {', '.join(_WINDOWS)}, a number of rows (5000 rows), a time (90d) or a half-life (weighted "
            "30d)",
        ) from error
