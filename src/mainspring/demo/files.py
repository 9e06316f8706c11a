"""The agency's data as files: one PNG a banner, `ads.csv`, and `impressions.csv`, written in parts."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.demo.agency import AGE_GROUPS, CATEGORIES, DEVICES, SITES, Agency, Impressions
from mainspring.demo.banners import draw_banner, looks_of

if TYPE_CHECKING:
    import polars as pl

_PART = 200_000


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
            "category": _named(CATEGORIES, agency.ads.category),
            "bid_cents": agency.ads.bid_cents,
            "banner": [f"banners/{name}.png" for name in names],
            "brightness": agency.ads.brightness,
            "colourfulness": agency.ads.colourfulness,
        }
    ).write_csv(folder / "ads.csv")
    return agency


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
            "shown_at": pl.Series(shown.shown_at).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
            "hour": shown.hour,
            "weekday": shown.weekday,
            "site": _named(SITES, shown.site),
            "position": shown.position + 1,
            "device": _named(DEVICES, people.device[shown.visitor]),
            "age_group": _named(AGE_GROUPS, people.age_group[shown.visitor]),
            "interest": _named(CATEGORIES, people.interest[shown.visitor]),
            "usual_hour": people.habit[shown.visitor],
            "ad_id": pl.Series([ad_name(number) for number in range(len(ads))]).gather(shown.ad),
            "category": _named(CATEGORIES, ads.category[shown.ad]),
            "price_cents": shown.price_cents,
            "brightness": ads.brightness[shown.ad],
            "colourfulness": ads.colourfulness[shown.ad],
            "clicked": pl.Series(shown.clicked).cast(pl.Int8),
        }
    )
    return rows


def ad_name(number: int) -> str:
    return f"ad-{number:04d}"


def _named(names: tuple[str, ...], places: Any) -> "pl.Series":
    import polars as pl

    return pl.Series(names).gather(places)
