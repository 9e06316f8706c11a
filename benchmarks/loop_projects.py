"""The project of a stream: what a user would write, with the benchmark's classifier and all else at defaults."""

from pathlib import Path

from loop_streams import TARGET, Stream
from mainspring.data.inference import infer
from mainspring.data.schema_file import write_schema
from mainspring.domain.source import Source
from mainspring.project import SCHEMA_FILE, Project, load_project
from mainspring.settings import FILE_NAME

START = 5_000
ROWS_FILE = "stream.csv"

_MODEL = f'''"""One of the streams of the benchmark."""

from lightgbm import LGBMClassifier

from mainspring import Model, Retrain, Source

model = Model(
    "stream",
    source=Source("start.csv"),
    target="{TARGET}",
    positive="yes",
    retrain=Retrain(on=["drift", "performance"]),
)


@model.candidate
def boosted_trees(trial):
    return LGBMClassifier(n_estimators=60, verbose=-1)
'''


def stream_project(stream: Stream, folder: Path) -> Project:
    """Write it into an empty folder, with its stream beside it."""
    stream.rows.write_csv(folder / ROWS_FILE)
    stream.rows.head(START).write_csv(folder / "start.csv")
    (folder / "model.py").write_text(_MODEL, encoding="utf-8")
    (folder / FILE_NAME).write_text("", encoding="utf-8")
    # By the whole stream: a range or a value that comes later is none of its faults.
    found = infer(Source(ROWS_FILE), folder, target=TARGET, key=None, time=None, task=None, environ={})
    write_schema(folder / SCHEMA_FILE, found.schema, found.reasons)
    return load_project(folder, {})
