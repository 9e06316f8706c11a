"""A small project with feature views: what people spent, and one made of its rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from mainspring.testing.shop import MODEL, write_rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIEWS = """
from mainspring import Aggregation, FeatureView

spending = FeatureView(
    "spending",
    source=Source("spending.csv", time="at"),
    key="user",
    columns=["amount"],
    aggregations=[Aggregation("sum", "amount", over="1h"), Aggregation("count", over="1h")],
    defaults={"amount": 0.0},
    owner="ana",
)
habits = FeatureView("habits", source=spending, key="user")


@habits.features
def large(rows):
    return rows["amount"] > 10
"""
COLUMNS: dict[str, Any] = {"user": pl.Int64, "at": pl.Datetime("us", "UTC"), "amount": pl.Float64}


def make_viewed(folder: Path, spent: Sequence[tuple[int, datetime, float | None]]) -> Path:
    """The shop with a view `spending` of these rows, and a view `habits` over it."""
    folder.mkdir(parents=True)
    (folder / "mainspring.toml").write_text('name = "shop"\n')
    (folder / "model.py").write_text(MODEL + VIEWS)
    write_rows(folder / "rows.csv")
    write_spending(folder, spent)
    # What would be found out, but for the key: of few rows nobody can say more.
    (folder / "schemas").mkdir()
    (folder / "schemas" / "spending.toml").write_text(
        '[columns.user]\nkind = "integer"\n\n[columns.at]\nkind = "time"\ntime_format = "iso"\n\n'
        '[columns.amount]\nkind = "number"\nmissing = [""]\n'
    )
    return folder


def write_spending(folder: Path, spent: Sequence[tuple[int, datetime, float | None]]) -> None:
    """The view's source, written anew."""
    lines = [f"{user},{at.isoformat()},{'' if amount is None else amount}" for user, at, amount in spent]
    (folder / "spending.csv").write_text("\n".join(["user,at,amount", *lines]) + "\n")


def spending_rows(spent: Sequence[tuple[int, datetime, float | None]]) -> pl.DataFrame:
    """Rows as they are pushed."""
    return pl.DataFrame(list(spent), schema=COLUMNS, orient="row")
