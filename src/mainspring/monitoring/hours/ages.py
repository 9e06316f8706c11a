"""How long hours are told apart."""

from datetime import date, timedelta

import polars as pl

HOURLY = timedelta(days=35)
"""What hours were like is known for so long (the reference `season` looks four weeks back), then of days only."""


def hour_or_day(by_day_before: date) -> pl.Expr:
    """Where the hour begins that a row's `at` is in; of days before the given one, where the day begins.

    Examples:
        >>> from datetime import datetime
        >>> log = pl.DataFrame({"at": [datetime(2026, 3, 1, 12, 5), datetime(2026, 3, 2, 12, 5)]})
        >>> for (moment,) in log.select(hour_or_day(date(2026, 3, 2))).iter_rows():
        ...     print(moment)
        2026-03-01 00:00:00
        2026-03-02 12:00:00
    """
    at = pl.col("at")
    return pl.when(at.dt.date() < by_day_before).then(at.dt.truncate("1d")).otherwise(at.dt.truncate("1h"))
