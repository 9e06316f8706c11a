"""The card says what a person asks, and the user's words cannot break it."""

import re
from dataclasses import dataclass, replace

import pytest

from mainspring.domain.release import InputField, RuntimeKind, RuntimeSpec
from mainspring.domain.schema import Kind
from mainspring.domain.verdict import Estimate
from mainspring.release.card import CardFacts, Comparison, render_card
from mainspring.testing.releases import a_manifest


@dataclass
class Slice:
    slice: dict[str, str]
    rows: int
    metrics: dict[str, Estimate]


@dataclass
class Loss:
    feature: str
    loss: float
    spread: float


ESTIMATE = Estimate(0.912345, 0.89, 0.93, 200)
FACTS = CardFacts(
    source="data/*.csv",
    rows=1000,
    naive_answer="the shares of the classes",
    slices=(Slice({"device": "phone"}, 1200, {"roc_auc": ESTIMATE}), Slice({"device": "other"}, 3, {})),
    importance=(Loss("age", 0.2, 0.01),),
    primary_metric="roc_auc",
    comparisons=(
        Comparison(
            "the champion adclick@6",
            {"log_loss": Estimate(0.3, 0.2, 0.4, 150)},
            {"log_loss": Estimate(0.002, -0.001, 0.004, 150), "f1": Estimate(None, None, None, 150)},
            150,
        ),
        Comparison(
            "a logistic baseline", {"roc_auc": ESTIMATE}, {"roc_auc": Estimate(0.05, 0.01, 0.09, 200)}, 200
        ),
    ),
)


@pytest.mark.parametrize(
    "said",
    [
        "# adclick@7",
        "Predicts `clicked`, one of two classes, from 2 inputs.",
        "It answers `yes` from a probability of 0.4 on.",
        "it runs as a compiled ONNX graph (200 rows agree within 1e-9)",
        "source: data/\\*.csv, 1,000 rows",
        f"snapshot: `{'5' * 64}`",
        "learnt from 800 rows",
        "judged on 200 rows that it never saw",
        "| roc_auc | higher | 0.91 | 0.89 to 0.93 | 0.5 |",
        "| f1 | higher | – | – | – |",
        "## Compared with the champion adclick@6",
        "| log_loss | 0.298 | 0.3 | 0.002 | -0.001 to 0.004 | no clear difference |",
        "| f1 | – | – | – | – | not measured |",
        "## Compared with a logistic baseline",
        "| roc_auc | 0.9623 | 0.9123 | 0.05 | 0.01 to 0.09 | better |",
        "By `roc_auc`, which it was tuned by: better.",
        "## By device",
        "| phone | 1,200 | 0.9123 (0.89 to 0.93) |",
        "| other | 3 | – |",
        "| age | 0.2 | ± 0.01 |",
        "| roc\\_auc ≥ 0.7 | pass | holds |",
        "never optional in a request: `age`",
        "3 rows in 10,000 have no device",
        "| age | integer | no | 17 to 90 |",
        f"code: `{'d' * 64}`",
        f"environment: `{'e' * 64}`",
        "champion at sealing: `adclick@6`",
        "`learning_rate`: `0.1`",
        "mainspring reproduce adclick@7",
    ],
)
def test_it_says(said: str) -> None:
    assert said in render_card(a_manifest(), FACTS)


def test_a_verdict_on_the_other_model_is_by_the_primary_metric_or_not_given() -> None:
    assert (
        render_card(a_manifest(), FACTS).count("which it was tuned by") == 1
    )  # the champion was not measured by it
    worse = Comparison("a logistic baseline", {"roc_auc": ESTIMATE}, {"roc_auc": Estimate(-0.2, -0.3, -0.1, 9)}, 9)
    unclear = replace(worse, gains={"roc_auc": Estimate(0.1, -0.1, 0.3, 9)})
    assert "tuned by: worse." in render_card(a_manifest(), replace(FACTS, comparisons=(worse,)))
    assert "tuned by: no clear difference." in render_card(a_manifest(), replace(FACTS, comparisons=(unclear,)))
    assert "tuned by" not in render_card(a_manifest(), replace(FACTS, primary_metric=""))


def test_intervals_of_rows_in_time_order_are_said_to_be_narrow() -> None:
    said = "Where rows near in time are alike, the true ones are wider."
    assert said in render_card(a_manifest(time="shown_at"), FACTS)
    assert said not in render_card(a_manifest(time=None), FACTS)


def test_a_native_release_says_why() -> None:
    runtime = RuntimeSpec(
        RuntimeKind.NATIVE, "not compiled: neighbours have no compiled form", 1e-9, ("model.onnx",)
    )
    card = render_card(a_manifest(runtime=runtime), FACTS)
    assert "it runs natively (not compiled: neighbours have no compiled form)" in card


def test_an_adopted_release_has_nothing_to_fit_again() -> None:
    card = render_card(a_manifest(training=None, origin="adopted", parent=None), FACTS)
    assert "there is nothing to fit again" in card
    assert "champion at sealing: none" in card
    assert "mainspring reproduce" not in card


def test_the_users_words_cannot_break_it() -> None:
    hostile = "a|b\n# heading <script>alert(1)</script> [x](http://x) `code`"
    field = InputField(hostile, Kind.CATEGORY, categories=(hostile,))
    facts = replace(FACTS, slices=(Slice({hostile: hostile}, 1, {}),), importance=(Loss(hostile, 0.1, 0.1),))
    manifest = a_manifest(inputs=(field,), warnings=(hostile,), target=hostile)
    card = render_card(manifest, replace(facts, source=hostile))
    assert "\n# heading" not in card
    # What Markdown still sees once the escaped characters and the code are taken away.
    seen = re.sub(r"`[^`\n]*`", "", re.sub(r"\\.", "", card))
    assert "<" not in seen
    assert "](" not in seen
    for table in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        columns = {line.replace("\\|", "").count("|") for line in table.splitlines()}
        assert len(columns) == 1, table
