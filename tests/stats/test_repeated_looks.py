"""How often drift is called where nothing changed and all is looked at every hour, and how rarely it is missed.

Of the looks at which nothing comes near a bar only a bound on what `compare` could find is computed, for a whole
week at once. Where the bound allows a drift, `compare` itself is asked, of the merged sketches of the hours.
"""

import numpy as np
import pytest
from scipy.special import kolmogi

from mainspring.domain.schema import Kind
from mainspring.stats.drift import THRESHOLDS, compare
from mainspring.stats.drift_extras import EXTRA_THRESHOLDS
from mainspring.stats.multiple import FALSE_ALERTS_PER_YEAR, alpha_per_look, is_drift
from mainspring.stats.profile import ColumnProfile

DAY, WEEK = 24, 7 * 24
NUMBERS, CATEGORIES = 40, 10
ALPHA = alpha_per_look(FALSE_ALERTS_PER_YEAR, 365 * DAY, NUMBERS + CATEGORIES)
REFERENCE_ROWS = 20_000
MISSING_SHARE = 0.05
CELLS = 500


def numbers(parts):
    column = ColumnProfile(Kind.NUMBER)
    for part in parts:
        piece = ColumnProfile(Kind.NUMBER)
        piece.add_numbers(part)
        column.merge(piece)
    return column


def texts(counts):
    column = ColumnProfile(Kind.CATEGORY)
    column.add_counts({str(place): int(count) for place, count in enumerate(counts) if count})
    return column


def says_drift(reference, current):
    drift = compare(reference, current)
    return is_drift(drift.effect, drift.threshold, drift.p_value, ALPHA)


def uniform(random, shape):
    """Of any law without ties the KS test is that of this one."""
    values = random.random(shape)
    values[random.random(shape) < MISSING_SHARE] = np.nan
    return values


def cells_of(hours):
    """How many of each hour's values [h, n] are in each of equal cells: [h, CELLS]; the missing ones in none."""
    place = np.where(np.isnan(hours), CELLS, np.nan_to_num(hours) * CELLS).astype(np.int64)
    flat = (np.arange(hours.shape[0])[:, None] * (CELLS + 1) + place).ravel()
    return np.bincount(flat, minlength=hours.shape[0] * (CELLS + 1)).reshape(-1, CELLS + 1)[:, :CELLS]


def days(hours):
    """The sums of the last 24 hours at the end of each hour of a week, the day before it included."""
    total = np.concatenate([np.zeros((1, hours.shape[1])), np.cumsum(hours, axis=0)])
    return (total[DAY:] - total[:-DAY])[1:]


def near_in_numbers(reference, cells, hours):
    """At which of the week's looks a number may have drifted: int64 [k]."""
    counts = days(cells_of(hours))
    present, rows = counts.sum(axis=1), DAY * hours.shape[1]
    share = cells / cells.sum()
    # Within a cell the two functions part by no more than the reference has there
    distance = np.abs(np.cumsum(counts, axis=1) / present[:, None] - np.cumsum(share)).max(axis=1) + share.max()
    least = kolmogi(ALPHA) / np.sqrt(present.max() * cells.sum() / (present.max() + cells.sum()))
    missing = np.abs(1 - present / rows - reference.missing / reference.rows)
    outer = (counts[:, 0] + counts[:, -1]) / present
    return np.flatnonzero(
        (distance > max(least, THRESHOLDS["ks"]))
        | (missing > EXTRA_THRESHOLDS["missing"])
        | (outer > EXTRA_THRESHOLDS["out_of_range"])
    )


def near_in_categories(reference, hours):
    counts = days(hours)
    n, m = reference.sum(), counts.sum(axis=1)
    statistic = n * m * (np.square(reference / n - counts / m[:, None]) / (reference + counts + 1e-9)).sum(axis=1)
    # Putting rare ones together lowers it; its least value beyond the bar is that of one degree of freedom
    return np.flatnonzero(statistic > 25)


def false_alerts(weeks, rows_an_hour, seed):
    """Alerts that begin, over these weeks of 50 features, and how many looks had to be taken in full."""
    random = np.random.default_rng(seed)
    raw = uniform(random, (NUMBERS, REFERENCE_ROWS))
    references, cells = [numbers(np.array_split(values, 4)) for values in raw], cells_of(raw)
    laws = [1 / np.arange(1, k + 1) for k in np.linspace(2, 30, CATEGORIES).astype(int)]
    laws = [law / law.sum() for law in laws]
    shares = [random.multinomial(REFERENCE_ROWS, law) for law in laws]
    alerts = taken = 0
    for _ in range(weeks):
        found = []
        for feature in range(NUMBERS):
            hours = uniform(random, (DAY + WEEK, rows_an_hour))
            near = near_in_numbers(references[feature], cells[feature], hours)
            found.append(
                {at for at in near if says_drift(references[feature], numbers(hours[at + 1 : at + 1 + DAY]))}
            )
            taken += near.size
        for share, law in zip(shares, laws, strict=True):
            hours = random.multinomial(rows_an_hour, law, size=DAY + WEEK)
            near = near_in_categories(share, hours)
            found.append({at for at in near if says_drift(texts(share), texts(days(hours)[at]))})
            taken += near.size
        alerts += sum(at - 1 not in looks for looks in found for at in looks)
    return alerts, taken


@pytest.mark.parametrize(("weeks", "rows_an_hour"), [(2, 20), (6, 208)])
def test_stable_weeks_looked_at_every_hour_raise_no_alert(weeks, rows_an_hour):
    alerts, taken = false_alerts(weeks, rows_an_hour, seed=1)
    assert alerts == 0
    assert taken > 0  # or the bounds have proved everything, and `compare` was not tried at all


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_two_hundred_stable_weeks_raise_fewer_than_two_alerts():
    alerts, taken = false_alerts(200, 208, seed=2)
    assert alerts < 2
    assert taken > 0


@pytest.mark.parametrize("reference_rows", [5_000, 50_000])
def test_a_shift_of_a_fifth_of_a_standard_deviation_is_seen_in_a_day_of_5000_rows(reference_rows):
    random = np.random.default_rng(3)
    seen = 0
    for _ in range(100):
        reference = numbers(np.array_split(random.normal(size=reference_rows), 4))
        seen += says_drift(reference, numbers(np.array_split(random.normal(0.2, 1, size=5_000), DAY)))
    assert seen >= 90


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0.5, 0.5], [0.57, 0.43]),
        ([0.9, 0.1], [0.85, 0.15]),
        ([0.2] * 5, [0.27, 0.1825, 0.1825, 0.1825, 0.1825]),
        ([0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.08, 0.02]),
    ],
    ids=["of two", "of a rare one", "of five", "a new one"],
)
def test_a_change_of_a_category_is_seen_in_a_day_of_5000_rows(before, after):
    random = np.random.default_rng(4)
    seen = 0
    for _ in range(100):
        reference = texts(random.multinomial(REFERENCE_ROWS, before))
        seen += says_drift(reference, texts(random.multinomial(5_000, after)))
    assert seen >= 90
