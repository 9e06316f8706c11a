"""What a play has left behind: what two plays of a week must have in common, and what may be there but once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from mainspring.data.predictions import predictions
from mainspring.domain.history import Entry
from mainspring.domain.prediction_log import Role, labels_table, predictions_table
from mainspring.domain.run import Run
from mainspring.workspace import Workspace

from .play import MODEL, Played
from .world import START

_ALL = 100_000
_OF_THE_RUN = ("MODEL_CARD.md", "model.skops")  # the run's id and time are in it; the compiled model is compared


@dataclass(frozen=True)
class Story:
    """Without what is another one at each play: random ids, and the minutes that pass until a lease has run out.

    Attributes:
        triggers: the hour, the kind and the cause of each.
        trainings: what each learnt from, chose and made, by digests.
        champions: each, and whom it followed.
        rollouts: each challenger and its end.
        alerts: each monitor, and the hours at which it fired and was over.
        truth: of each answered request, by which release, with which probability, and what came true.
    """

    triggers: list[tuple[int, str, str]]
    trainings: list[dict[str, Any]]
    champions: list[tuple[int | None, int]]
    rollouts: list[tuple[int, str]]
    alerts: list[tuple[str, int, int | None]]
    truth: dict[str, tuple[int, float, str | None]]


def story(workspace: Workspace) -> Story:
    """What the workspace tells of the week."""
    records = workspace.records
    entries = _entries(workspace)
    alerts = records.alerts(MODEL, limit=_ALL)
    log = predictions(workspace.tables, MODEL).select("request_id", "release", "value", "label").collect()
    return Story(
        triggers=[(_hour(one.at), *_cause(one.reason)) for one in entries if one.kind == "trigger"],
        trainings=[_training(workspace, run) for run in reversed(records.runs(MODEL, limit=_ALL))],
        champions=[(one.detail["before"], one.detail["after"]) for one in entries if one.kind == "champion"],
        rollouts=[(one.challenger, str(one.end)) for one in reversed(records.rollouts(MODEL, limit=_ALL))],
        alerts=sorted((one.monitor, _hour(one.fired_at), _hour(one.resolved_at)) for one in alerts),
        truth={name: (release, value, label) for name, release, value, label in log.iter_rows()},
    )


def assert_once(workspace: Workspace, played: Played) -> None:
    """Nothing was lost, and nothing is there twice."""
    records = workspace.records
    assert records.verify_history() is None
    entries = _entries(workspace)
    _all_differ(entry.detail["trigger"] for entry in entries if entry.kind == "trigger")
    _all_differ((entry.kind, entry.once) for entry in entries if entry.once is not None)
    _all_differ(entry.detail["after"] for entry in entries if entry.kind == "champion")
    runs = records.runs(MODEL, limit=_ALL)
    triggers = [entry.detail["trigger"] for entry in entries if entry.kind == "trigger"]
    assert sorted(run.detail["trigger"]["id"] for run in runs if "trigger" in run.detail) == sorted(triggers)
    releases = [record.number for record in records.releases(MODEL)]
    assert releases == [*range(len(releases), 0, -1)]
    assert sorted(run.release for run in runs if run.release is not None) == sorted(releases)
    _all_differ(one.challenger for one in records.rollouts(MODEL, limit=_ALL))

    log = predictions(workspace.tables, MODEL).select("id", "request_id", "release", "value", "label").collect()
    _all_differ(log.get_column("id"))
    stored = {name: (f"{MODEL}@{release}", value) for _, name, release, value, _ in log.iter_rows()}
    assert {name: stored.get(name) for name in played.answers} == played.answers
    assert stored.keys() == played.answers.keys()
    known = log.filter(pl.col("label").is_not_null())
    assert dict(zip(known["request_id"], known["label"], strict=True)) == played.labels
    # What is there more than once is of a client who got no answer, and sent the same again with the same id.
    said = Counter(workspace.tables.scan(labels_table(MODEL)).collect().get_column("feedback_id"))
    assert {name for name, count in said.items() if count > played.sent[name]} == set()
    by = workspace.tables.scan(predictions_table(MODEL)).select("request_id", "release", "role").collect()
    often = Counter((name, release, role == Role.SHADOW) for name, release, role in by.iter_rows())
    assert {one for one, count in often.items() if count > played.sent[one[0]]} == set()


def _training(workspace: Workspace, run: Run) -> dict[str, Any]:
    told: dict[str, Any] = {"state": run.state, "snapshot": run.snapshot, "labelled": run.detail.get("labelled")}
    record = next((one for one in workspace.records.releases(MODEL) if one.number == run.release), None)
    if record is None:
        return told
    manifest = workspace.catalogue.manifest(record)
    assert manifest.training is not None
    window = manifest.training.window
    return told | {
        "release": run.release,
        "parent": manifest.parent,
        "snapshots": manifest.snapshots,
        "files": {name: digest for name, digest in manifest.files.items() if name not in _OF_THE_RUN},
        "params": manifest.training.params,
        "holdout": manifest.training.holdout_digest,
        "window": None if window is None else window.window,
        "metrics": manifest.metrics,
    }


def _entries(workspace: Workspace) -> list[Entry]:
    return [*reversed(workspace.records.history(MODEL, limit=_ALL))]


def _cause(reason: str) -> tuple[str, str]:
    kind, _, words = reason.partition(": ")
    return kind, words


def _hour(moment: datetime | None) -> int | None:
    return None if moment is None else int((moment - START).total_seconds() // 3600)


def _all_differ(found: Iterable[object]) -> None:
    assert [one for one, count in Counter(found).items() if count > 1] == []
