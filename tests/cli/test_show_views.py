"""`mainspring show` and the model card say the same of a release's feature views."""

from pathlib import Path

import pytest

from mainspring.cli.main import call


def test_a_release_is_shown_with_its_views(
    released_posters: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(released_posters)
    assert call(["show", "posters@1"], {}) == 0
    shown = [line.split() for line in capfd.readouterr().out.splitlines()]
    (head,) = (place for place, words in enumerate(shown) if words[:3] == ["view", "by", "key"])
    assert " ".join(shown[head]) == "view by key features rows from in the online store"
    cards = (released_posters / ".mainspring" / "releases" / "posters" / "1" / "MODEL_CARD.md").read_text()
    lines = cards.splitlines()
    table = lines[lines.index("| view | by key | features | rows from |") + 2 :][:2]
    for row, (name, key, source) in zip(
        table, [("creative", "ad_id", "ads.csv"), ("visitor", "visitor", "visits.csv")], strict=True
    ):
        cells = [cell.strip(" `") for cell in row.strip("|").split("|")]
        assert (cells[0].startswith(f"{name}-"), cells[1], cells[3]) == (True, key, source)
        (told,) = (words for words in shown if words[:1] == cells[:1])
        assert told[1] == key
        assert source in told
