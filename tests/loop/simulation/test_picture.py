"""The picture: an SVG that is whole, shows each line, and lets no name be markup."""

import math
from xml.etree import ElementTree

from mainspring.loop.simulation.picture import Line, picture

SVG = "{http://www.w3.org/2000/svg}"


def test_every_line_training_and_change_is_drawn() -> None:
    lines = [Line("ours", [(0, 0.5), (100, 0.9)]), Line("none", [(0, 0.5), (100, 0.6)])]
    root = ElementTree.fromstring(picture("sea", lines, trainings=[20, 40, 60], changes=[50], what="accuracy"))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles == ["sea", "none", "ours"], "the first line lies on top"
    paths = [path.get("d") or "" for path in root.iter(f"{SVG}path")]
    assert sum(path.endswith("v10") for path in paths) == 3 + 1, "one of them in the legend"
    assert len([path for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray")]) == 1 + 1


def test_what_is_no_number_leaves_a_gap_and_a_line_may_be_empty() -> None:
    points = [(0, 0.5), (1, math.nan), (2, 0.7), (3, 0.8)]
    root = ElementTree.fromstring(picture("gap", [Line("ours", points), Line("none", [])]))
    drawn = {path.find(f"{SVG}title").text: path.get("d") for path in root.iter(f"{SVG}path") if len(path)}
    assert drawn["ours"].count("M") == 2
    assert drawn["none"] == ""


def test_a_name_is_text() -> None:
    root = ElementTree.fromstring(picture("<b>", [Line("</svg><script>", [(0, 1.0), (1, 2.0)])]))
    assert not list(root.iter(f"{SVG}script"))
    assert "</svg><script>" in [text.text for text in root.iter(f"{SVG}text")]
