"""Five million rows of the demo's model, by `score` and by pandas with `predict_proba`: `make benchmark-score`.

Both sides read the same Parquet file and write one: the key, the prediction and a probability for each class.
"""

import argparse
import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cloudpickle
import polars as pl
import pyarrow.parquet as pq

from harness import ROOT, Report, interleaved, say
from mainspring.demo.agency import CATEGORIES, Agency, Impressions
from mainspring.demo.files import found_agency, frame_of
from mainspring.release.estimator_file import read_estimator
from processes import MAINSPRING, mainspring, run

_PROJECT = ROOT / "benchmarks" / "adclick"
_START = datetime(2026, 1, 5, tzinfo=UTC).replace(tzinfo=None)
_TRAINED_ON = 60_000
_PART = 250_000
MODEL = "adclick"


def train(folder: Path) -> Agency:
    """The demo's model on the demo's kind of data, released; a request tells all, and nothing is found by key."""
    for file in _PROJECT.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "data").mkdir()
    agency = found_agency(folder / "data", ads=80, visitors=20_000, seed=7)
    shown = agency.show(_TRAINED_ON, start=_START, days=14, seed=7)
    rows_of(agency, shown).write_csv(folder / "data" / "impressions.csv")
    mainspring("run", "--trials", "9", folder=folder)
    return agency


def rows_of(agency: Agency, shown: Impressions, *, first: int = 0) -> pl.DataFrame:
    """The impressions, with what the demo has in its feature views."""
    people, ads = agency.visitors, agency.ads
    rows = frame_of(agency, shown, first=first).drop("visitor_id")
    return rows.with_columns(
        interest=pl.Series(CATEGORIES).gather(people.interest[shown.visitor]),
        usual_hour=people.habit[shown.visitor],
        brightness=ads.brightness[shown.ad],
        colourfulness=ads.colourfulness[shown.ad],
    )


def write_rows(path: Path, agency: Agency, count: int) -> None:
    """So many further impressions as Parquet, in parts that fit into memory."""
    writer = None
    for first in range(0, count, _PART):
        size = min(_PART, count - first)
        start = _START + timedelta(days=30 + first / _PART)
        shown = agency.show(size, start=start, days=1, seed=1_000 + first)
        frame = rows_of(agency, shown, first=first).with_columns(
            pl.col("shown_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_zone="UTC")
        )
        table = frame.drop("clicked").to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def unseal(folder: Path) -> None:
    """The release's original estimator and its features, as files that a plain script opens."""
    release = folder / ".mainspring" / "releases" / MODEL / "1"
    files = {file.name: file.read_bytes() for file in release.iterdir() if file.name.startswith("model.")}
    originals = {name: content for name, content in files.items() if not name.endswith(".onnx")}
    (folder / "plain.pkl").write_bytes(cloudpickle.dumps(read_estimator(originals)))
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    names = [field["name"] for field in manifest["inputs"]]
    (folder / "features.json").write_text(json.dumps(names), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report = Report("score")
    with tempfile.TemporaryDirectory(prefix="score-") as place:
        folder = Path(place)
        say("training the demo's model")
        agency = train(folder)
        say(f"writing {arguments.rows:,} rows")
        write_rows(folder / "rows.parquet", agency, arguments.rows)
        unseal(folder)
        script = str(Path(__file__).with_name("plain_score.py"))
        files = ["--input", "rows.parquet", "--output", "ours.parquet"]
        peer = [script, "plain.pkl", "features.json", "rows.parquet", "plain.parquet"]
        commands = {
            "mainspring": [MAINSPRING, "score", MODEL, *files, "--json"],
            "pandas + predict_proba": [sys.executable, *peer],
        }

        def side(name: str, output: str) -> dict[str, float]:
            (folder / output).unlink(missing_ok=True)
            done = run(commands[name], folder)
            figures = {"seconds": done.seconds, "rows": float(arguments.rows)}
            figures["rows_per_second"] = arguments.rows / done.seconds
            return figures | {"peak_rss_mb": done.memory.rss}

        ours, plain = commands
        sides = {ours: lambda: side(ours, "ours.parquet"), plain: lambda: side(plain, "plain.parquet")}
        report.figures = interleaved(sides, arguments.rounds)
        difference = greatest_difference(folder / "ours.parquet", folder / "plain.parquet")
    us, them = report.figures[ours], report.figures[plain]
    report.figures["speed_up"] = round(them["seconds"] / us["seconds"], 2)
    report.figures["greatest_difference"] = difference
    print(f"{'':18}{'mainspring':>14}{'plain':>14}")
    for key in ("seconds", "rows_per_second", "peak_rss_mb"):
        print(f"{key:18}{us[key]:14,.1f}{them[key]:14,.1f}")
    report.check("score: times as fast as pandas + predict_proba", report.figures["speed_up"], 5.0, "at_least")
    report.check("score: peak memory, MB", round(us["peak_rss_mb"], 1), 600.0, "at_most")
    report.check("score: greatest difference of a probability from predict_proba's", difference, 1e-9, "at_most")
    return 0 if report.write() else 1


def greatest_difference(ours: Path, plain: Path) -> float:
    """Between the two sides' probabilities of a click, row by row; the rows must be the same."""
    left = pl.scan_parquet(ours).select("impression_id", ours="probability_1")
    right = pl.scan_parquet(plain).select("impression_id", plain="probability_1")
    both = pl.concat([left, right.rename({"impression_id": "id"})], how="horizontal")
    found = both.select(
        same=(pl.col("impression_id") == pl.col("id")).all(), most=(pl.col("ours") - pl.col("plain")).abs().max()
    ).collect()
    if not found["same"].item():
        raise ValueError("the two sides scored other rows")
    return float(found["most"].item())


if __name__ == "__main__":
    sys.exit(main())
