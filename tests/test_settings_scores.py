"""`[[score]]` in `mainspring.toml`."""

from pathlib import Path

import pytest

from mainspring.errors import SettingsError
from mainspring.settings import load_settings

JOB = """
name = "shop"
[[score]]
name = "nightly"
model = "shop"
input = "in/{date}.csv"
output = "out/{date}.parquet"
schedule = "0 4 * * *"
"""


def test_jobs_are_read_beside_the_other_sections(tmp_path: Path) -> None:
    second = JOB.replace('"nightly"', '"hourly"').partition("[[score]]")[2]
    (tmp_path / "mainspring.toml").write_text(
        JOB + "[[score]]" + second.replace('"in/{date}.csv"', '["a.csv", "b.csv"]') + "[gateway]\nport = 9000\n"
    )
    settings = load_settings(tmp_path, {})
    assert [job.name for job in settings.scores] == ["nightly", "hourly"]
    assert settings.scores[1].inputs == ("a.csv", "b.csv")
    assert settings.gateway.port == 9000
    (tmp_path / "mainspring.toml").write_text("")
    assert load_settings(tmp_path, {}).scores == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[score]]", "[score]", r"begin each job with \[\[score\]\]"),
        ('schedule = "0 4 * * *"', "", "no schedule; write e.g. schedule"),
        ('"0 4 * * *"', '"nightly"', "has 1 field"),
        ('"0 4 * * *"', "4", "wrong kind"),
        ("output", "ouput", "did you mean output"),
        ('input = "in/{date}.csv"', "input = [1]", "wrong kind"),
        ("{date}.parquet", "{dat}.parquet", "use {date} or {time}"),
        ('model = "shop"', 'model = "Shop"', "names no release"),
        ("[[score]]", JOB.partition('name = "shop"')[2] + "[[score]]", "two score jobs 'nightly'"),
    ],
)
def test_what_makes_no_sense_names_the_place_and_the_cure(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "mainspring.toml").write_text(JOB.replace(old, new))
    with pytest.raises(SettingsError, match=words) as caught:
        load_settings(tmp_path, {})
    assert caught.value.cure
    assert "mainspring.toml" in str(caught.value)
