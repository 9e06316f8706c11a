"""The agency's data as files: a PNG for each banner, `ads.csv`, `visits.csv`, and `impressions.csv` in parts."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.demo.agency import AGE_GROUPS, CATEGORIES, DEVICES, SITES, Agency, Impressions, Integers
from mainspring.demo.banners import draw_banner, looks_of
from mainspring.demo.names import ad_name, visitor_name
from mainspring.demo.visits import Visits

if TYPE_CHECKING:
    import polars as pl

_PART = 200_000
_DRAWN_AT = "2025-01-01T00:00:00Z"  # long before any of them was shown


def found_agency(folder: Path, *, ads: int, visitors: int, seed: int) -> Agency:
    """Draw the banners, write `banners/*.png` and `ads.csv`, and open the agency.

    The looks are measured on the files, so that whoever reads the files can see what the visitors see.
    """
    import polars as pl

    banners = folder / "banners"
    banners.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 3])
    names = [ad_name(number) for number in range(ads)]
    for name in names:
        draw_banner(rng).save(banners / f"{name}.png")
    looks = [looks_of(banners / f"{name}.png") for name in names]
    agency = Agency(looks, visitors=visitors, seed=seed)
    pl.DataFrame(
        {
            "ad_id": names,
            "drawn_at": _DRAWN_AT,
            "banner": [f"banners/{name}.png" for name in names],
            "category": _named(CATEGORIES, agency.ads.category),
            "bid_cents": agency.ads.bid_cents,
        }
    ).write_csv(folder / "ads.csv")
    return agency


def write_visits(path: Path, visits: Visits) -> None:
    """Write what the visitors read as CSV."""
    import polars as pl

    pl.DataFrame(
        {
            "visitor_id": _numbered(visitor_name, visits.visitor),
            "left_at": _times(visits.left_at),
            "topic": _named(CATEGORIES, visits.topic),
            "hour": visits.hour,
        }
    ).write_csv(path)


def write_impressions(
    path: Path, agency: Agency, count: int, *, start: datetime, days: float, seed: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Write so many impressions as CSV, in parts that fit into memory; return the law's chance of each."""
    law = []
    parts = max(1, -(-count // _PART))
    with path.open("wb") as file:
        written = 0
        for part in range(parts):
            size = count // parts + (part < count % parts)
            shown = agency.show(
                size, start=start + timedelta(days=days) * part / parts, days=days / parts, seed=seed + part
            )
            frame_of(agency, shown, first=written).write_csv(file, include_header=part == 0)
            law.append(shown.probability)
            written += size
    return np.concatenate(law)


def frame_of(agency: Agency, shown: Impressions, *, first: int = 0) -> "pl.DataFrame":
    """The impressions as rows, one column a fact that was known when the ad was shown, and the click."""
    import polars as pl

    people, ads = agency.visitors, agency.ads
    rows: pl.DataFrame = pl.DataFrame(
        {
            "impression_id": [f"imp-{number:09d}" for number in range(first, first + len(shown))],
            "shown_at": _times(shown.shown_at),
            "hour": shown.hour,
            "weekday": shown.weekday,
            "site": _named(SITES, shown.site),
            "position": shown.position + 1,
            "visitor_id": _numbered(visitor_name, shown.visitor),
            "device": _named(DEVICES, people.device[shown.visitor]),
            "age_group": _named(AGE_GROUPS, people.age_group[shown.visitor]),
            "ad_id": _numbered(ad_name, shown.ad),
            "category": _named(CATEGORIES, ads.category[shown.ad]),
            "price_cents": shown.price_cents,
            "clicked": pl.Series(shown.clicked).cast(pl.Int8),
        }
    )
    return rows


def _numbered(name: Callable[[int], str], numbers: Integers) -> "pl.Series":
    import polars as pl

    return pl.Series([name(number) for number in range(int(numbers.max(initial=-1)) + 1)]).gather(numbers)


def _named(names: tuple[str, ...], places: Any) -> "pl.Series":
    import polars as pl

    return pl.Series(names).gather(places)


def _times(microseconds: Integers) -> "pl.Series":
    import polars as pl

    return pl.Series(microseconds).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
