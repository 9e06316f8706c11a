"""`mainspring simulate`, as people call it."""

import json
from pathlib import Path

import pytest

from mainspring.cli.main import call
from mainspring.testing.turning import STARTED, make_turning

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short stream, on which nothing changes."""
    return make_turning(tmp_path_factory.mktemp("cli") / "visits", rows=STARTED + 600)


def simulate(folder: Path, *options: str) -> int:
    given = ["simulate", "--project", str(folder), "--data", str(folder / "stream.csv"), "--start", str(STARTED)]
    return call([*given, *options], {})


def test_the_document_has_the_courses_and_the_picture_lies_where_it_was_asked_for(
    visits: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "seen.html"
    options = ("--speed", "100", "--label-delay", "100 rows", "--schedule", "300 rows", "--metric", "accuracy")
    assert simulate(visits, *options, "--report", str(place), "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert [one["name"] for one in found["courses"]] == [
        "the policies",
        "never trained again",
        "every 300 rows, all rows",
        "every 300 rows, the last 1,000 rows",
    ]
    assert found["courses"][0]["value"] == found["courses"][1]["value"], "nothing changed, and nothing was trained"
    assert found["courses"][2]["trainings"] == 1
    assert found["rows"] == 600
    assert found["trainings"] == found["changes"] == []
    assert len(found["courses"][0]["over_time"]) == 20
    assert "<svg" in place.read_text()


def test_people_read_a_table(visits: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = (visits / "model.py").read_text().replace('on=["drift"]', 'on=["drift", "new_data"]')
    (visits / "model.py").write_text(model)
    assert simulate(visits, "--speed", "200", "--report", str(tmp_path / "seen.html")) == 0
    streams = capfd.readouterr()
    assert 'Retrain(on="new_data") started nothing here' in " ".join(streams.err.split())
    said = streams.out
    assert "visits over 600 rows" in said
    assert "never trained again" in said
    assert "seen.html" in said


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "nothing says how fast the rows come"),
        (("--speed", "100", "--label-delay", "soon"), 2, "no delay of labels"),
        (("--speed", "100", "--schedule", "0 rows"), 2, "never ends"),
        (("--speed", "100", "--start", "1600"), 2, "is to learn from 1,600"),
        (("--speed", "100", "--metric", "rmse"), 2, "rmse"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_cure(
    visits: Path, options: tuple[str, ...], code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert simulate(visits, *options, "--json") == code
    found = json.loads(capfd.readouterr().out)
    assert said in found["message"]
    assert found["cure"]
