"""The streams of the loop's benchmark: real ones and published ones from files, and made ones with a known law."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TARGET = "happened"


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows in the order of time.

    Attributes:
        rows: the features, and the column `happened` with `no` and `yes`.
        changes: the rows at which the law changes at once.
        steady: that it never changes.
        is_held: that the bars for abrupt and gradual changes hold for it.
    """

    name: str
    rows: pl.DataFrame
    changes: tuple[int, ...] = ()
    steady: bool = False
    is_held: bool = False

    @property
    def features(self) -> Floats:
        return self.rows.drop(TARGET).to_numpy().astype(np.float64)

    @property
    def truth(self) -> NDArray[np.int64]:
        return (self.rows[TARGET] == "yes").to_numpy().astype(np.int64)


def streams(data: Path) -> dict[str, Callable[[], Stream]]:
    """All of them by name, each made when it is asked for."""
    made = {
        "abrupt": lambda: _stream("abrupt", _abrupt(), seed=1, changes=(15_000, 27_500), is_held=True),
        "gradual": lambda: _stream("gradual", _gradual(), seed=2, is_held=True),
        "recurring": lambda: _stream("recurring", _recurring(), seed=3, changes=(10_000, 20_000, 30_000, 40_000)),
        "seasonal": lambda: _stream("seasonal", _seasonal(), seed=4),
    }
    return {"elec2": lambda: elec2(data), "sea": lambda: sea(data), **_steady(data), **made}


def elec2(data: Path) -> Stream:
    """Whether the price of electricity goes up, half-hour by half-hour; the real one of the streams."""
    rows = pl.read_csv(data / "elec2" / "elec_dated.csv").drop("date")
    return Stream("elec2", _with_target(rows.drop("class"), rows["class"] == "UP"))


def sea(data: Path) -> Stream:
    """The bar that the sum of two features must not pass changes three times; the third feature says nothing."""
    place = data / "sea"
    rows = pl.read_csv(place / "SEA_training_data.csv", has_header=False, new_columns=["f1", "f2", "f3"])
    truth = pl.read_csv(place / "SEA_training_class.csv", has_header=False).to_series() == 1
    return Stream("sea", _with_target(rows, truth), changes=(12_500, 25_000, 37_500), is_held=True)


def _steady(data: Path) -> Mapping[str, Callable[[], Stream]]:
    def read(name: str) -> Stream:
        rows = pl.read_csv(data / "sea" / f"{name}.csv")
        return Stream(name, _with_target(rows.drop("class"), rows["class"] == 1), steady=True)

    return {"sea_big": lambda: read("sea_big"), "sea_stream": lambda: read("sea_stream")}


def _with_target(features: pl.DataFrame, happened: pl.Series) -> pl.DataFrame:
    words = pl.Series(TARGET, np.where(happened.to_numpy(), "yes", "no"))
    return features.cast(pl.Float64).with_columns(words)


# --- made ones --------------------------------------------------------------------------------------------------

_TASTES = np.array(
    [[2.0, -1.5, 1.0, 0.0, 0.8], [-1.0, 1.5, 1.2, 1.2, -0.8], [1.5, 1.5, -1.5, 0.5, 0.0]], dtype=np.float64
)
"""What visitors like, as weights of what `_stream` makes of the features: one taste a row."""


def _abrupt() -> Floats:
    """Two changes from one row to the next, of 40,000 rows."""
    return _TASTES[np.searchsorted([15_000, 27_500], np.arange(40_000), side="right")]


def _gradual() -> Floats:
    """Over 10,000 rows more and more visitors have the new taste."""
    share = np.clip((np.arange(40_000) - 15_000) / 10_000, 0, 1)
    return _TASTES[(np.random.default_rng(102).random(40_000) < share).astype(int)]


def _recurring() -> Floats:
    """Two tastes in turn, each for 10,000 rows."""
    return _TASTES[np.arange(50_000) // 10_000 % 2]


def turning(rows: int, *, turns: int) -> Stream:
    """Two tastes in turn, each for as long."""
    tastes = np.arange(rows) * (turns + 1) // rows % 2
    changes = tuple(int(row) for row in np.flatnonzero(np.diff(tastes)) + 1)
    return _stream("turning", _TASTES[tastes], seed=6, changes=changes)


def _seasonal() -> Floats:
    """A taste that goes over into another and back, once in 12,500 rows."""
    share = (1 - np.cos(2 * np.pi * np.arange(50_000) / 12_500))[:, None] / 2
    weights: Floats = _TASTES[0] * (1 - share) + _TASTES[1] * share
    return weights


def _stream(
    name: str, weights: Floats, *, seed: int, changes: tuple[int, ...] = (), is_held: bool = False
) -> Stream:
    """Draw the features, which always come alike, and the target by the weights of each row."""
    random, count = np.random.default_rng(seed), len(weights)
    x = random.normal(size=(count, 3))
    hour, place = random.integers(0, 24, count), random.integers(0, 5, count)
    terms = np.column_stack(
        [x[:, 0], x[:, 1], x[:, 0] * x[:, 2], np.sin(2 * np.pi * hour / 24), 2.0 * (place == 2) - 0.4]
    )
    chance = 1 / (1 + np.exp(-2 * (weights * terms).sum(axis=1)))
    features = pl.DataFrame({"age": x[:, 0], "depth": x[:, 1], "pace": x[:, 2], "hour": hour, "place": place})
    happened = pl.Series(random.random(count) < chance)
    return Stream(name, _with_target(features, happened), changes=changes, is_held=is_held)
