"""The card says which rows were learnt from, and why, where there was a choice."""

import json
from dataclasses import replace

from mainspring.domain.verdict import Estimate
from mainspring.domain.window import TrainingWindow, WindowTrial
from mainspring.release.card import CardFacts, render_card
from mainspring.release.manifest import decode_manifest, encode_manifest
from mainspring.testing.releases import A_TRAINING, a_manifest

FACTS = CardFacts(source="clicks.csv", rows=3_000, labelled=1_200)
WINDOW = TrainingWindow(
    "since_change",
    {"kind": "since", "start": 1_772_323_200_000_000},
    "the best on newer rows",
    "brier",
    240,
    (
        WindowTrial("all", 2_700, 0.31, Estimate(0.12, 0.1, 0.13, 240)),
        WindowTrial("since_change", 960, 0.19, Estimate(0.0, 0.0, 0.0, 240)),
        WindowTrial("weighted 30d", 0, note="the candidate 'k|n' takes no weights"),
    ),
)


def test_a_choice_is_told_with_what_it_rests_on() -> None:
    split = {"kind": "answered", "cut": 1_772_496_000_000_000, "share": 0.2, "since": 1_772_323_200_000_000}
    training = replace(A_TRAINING, window=WINDOW, split=split, parameters_of="adclick@6")
    card = render_card(a_manifest(training=training), FACTS)
    for said in (
        "of these 1,200 are answers from production whose truth came in",
        "the newest answers from production (cut 2026-03-03 00:00:00 UTC, share 0.2, since 2026-03-01 00:00:00",
        "It learnt from `since_change`: the best on newer rows.",
        "the same 240 rows, newer than any that they had seen",
        "| `all` | 2,700 | 0.31 | 0.12 | 0.1 to 0.13 |  |",
        "| `weighted 30d` | – | – | – | – | the candidate 'k\\|n' takes no weights |",
        "candidate: `boosted_trees`, with the parameters of `adclick@6`",
    ):
        assert said in card, said


def test_where_there_was_no_choice_nothing_is_told() -> None:
    assert "learnt from `" not in render_card(a_manifest(), FACTS)
    assert "learnt from `" not in render_card(a_manifest(training=None, origin="adopted", parent=None), FACTS)


def test_a_choice_is_the_same_after_a_round_of_the_manifest() -> None:
    manifest = a_manifest(training=replace(A_TRAINING, window=WINDOW, parameters_of="adclick@6"))
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_a_manifest_from_before_there_were_windows_is_read() -> None:
    document = json.loads(encode_manifest(a_manifest()))
    for field in ("window", "parameters_of"):
        assert document["training"].pop(field) is None
    assert decode_manifest(json.dumps(document).encode()) == a_manifest()
