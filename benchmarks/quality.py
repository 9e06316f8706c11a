"""How good `mainspring init` and `mainspring run` are by themselves, on real data sets: `make benchmark-quality`.

Every run uses the defaults and a budget of 120 s. The rows that judge are never in the file that is learnt from:
they are scored with `mainspring score` from a file of their own. `--only NAME` measures one data set (its figures
replace the old ones in the results), `--seeds N` takes fewer split seeds.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from harness import RESULTS, Report, data_folder, say
from projects import probability, released, scored
from streams import elec2, taxi

SEEDS = 5


def split(rows: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Four fifths to learn from, one fifth to judge by."""
    order = np.random.default_rng(seed).permutation(rows.height)
    cut = rows.height * 4 // 5
    return rows[order[:cut].tolist()], rows[order[cut:].tolist()]


def adult(data: Path, folder: Path, seed: int) -> float:
    """ROC AUC on the published test file; the seed is the model's."""
    result = released(folder, data / "adult" / "adult_train.csv", "income", seed=seed)
    test = data / "adult" / "adult_test.csv"
    incomes = pl.read_csv(test)["income"].drop_nulls()  # the file ends with a blank line
    labels = incomes.str.strip_chars(" .").to_numpy() == ">50K"
    return float(roc_auc_score(labels, probability(scored(folder, result["release"]["model"], test), ">50K")))


def housing(data: Path, folder: Path, seed: int) -> float:
    """Root mean squared error in dollars on a fifth of the rows."""
    train, test = split(texts(data / "california_housing" / "housing.csv"), seed)
    train.write_csv(folder / "train.csv")
    test.write_csv(folder / "test.csv")
    result = released(folder, folder / "train.csv", "median_house_value", seed=seed)
    answers = scored(folder, result["release"]["model"], folder / "test.csv")["prediction"].to_numpy()
    truth = test["median_house_value"].cast(pl.Float64).to_numpy()
    return float(np.sqrt(np.mean((answers - truth) ** 2)))


def churn(data: Path, folder: Path, seed: int) -> float:
    """ROC AUC on a fifth of the rows."""
    train, test = split(texts(data / "telco_churn" / "telco_churn.csv"), seed)
    train.write_csv(folder / "train.csv")
    test.write_csv(folder / "test.csv")
    result = released(folder, folder / "train.csv", "Churn", seed=seed)
    answers = probability(scored(folder, result["release"]["model"], folder / "test.csv"), "Yes")
    return float(roc_auc_score(test["Churn"].to_numpy() == "Yes", answers))


def texts(file: Path) -> pl.DataFrame:
    """The rows as they stand in the file, so that a copy of some of them has the same texts."""
    return pl.read_csv(file, infer_schema=False)


SPLIT_SETS: dict[str, tuple[Callable[[Path, Path, int], float], str, float]] = {
    "adult": (adult, "at_least", 0.925),
    "housing": (housing, "at_most", 50_000.0),
    "churn": (churn, "at_least", 0.835),
}
TITLES = {
    "adult": "adult: ROC AUC on the test file",
    "housing": "California housing: RMSE in dollars",
    "churn": "telco churn: ROC AUC",
}


def measure(names: list[str], seeds: int) -> dict[str, Any]:
    data, figures = data_folder(), {}
    for name in names:
        if name in SPLIT_SETS:
            values = []
            for seed in range(seeds):
                with tempfile.TemporaryDirectory(prefix="quality-") as place:
                    values.append(round(SPLIT_SETS[name][0](data, Path(place), seed), 5))
                say(f"{name}, seed {seed}: {values[-1]}")
            figures[name] = {"mean": round(float(np.mean(values)), 5), "by_seed": values}
        else:
            with tempfile.TemporaryDirectory(prefix="quality-") as place:
                figures[name] = {"elec2": elec2, "taxi": taxi}[name](data, Path(place))
            say(f"{name}: {figures[name]}")
    return figures


def judge(report: Report) -> None:
    """The checks that the figures allow."""
    for name, (_, sense, bar) in SPLIT_SETS.items():
        if name in report.figures:
            mean = report.figures[name]["mean"]
            report.check(f"{TITLES[name]}, mean of {len(report.figures[name]['by_seed'])} seeds", mean, bar, sense)
    if "elec2" in report.figures:
        found = report.figures["elec2"]
        title = "elec2, last 30 % in time: ROC AUC against a logistic regression's"
        report.check(title, found["roc_auc"], found["logistic_roc_auc"], "at_least")
        report.check("elec2: the card says that it is better", found["card_says_so"], True, "equals")
    if "taxi" in report.figures:
        report.check(
            "Chicago taxi: the leakage warning names", report.figures["taxi"]["leaks"], ["tips"], "equals"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*SPLIT_SETS, "elec2", "taxi"], action="append")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments = parser.parse_args()
    measured = measure(arguments.only or [*SPLIT_SETS, "elec2", "taxi"], arguments.seeds)
    report = Report("quality")
    old = RESULTS / "quality.json"
    if arguments.only and old.exists():
        report.figures = json.loads(old.read_text(encoding="utf-8"))["figures"]
    report.figures |= measured
    judge(report)
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
