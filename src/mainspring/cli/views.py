"""Releases, runs, estimates and verdicts as JSON objects and as table rows; shared by the verbs that show them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.cli.output import Output
from mainspring.cli.plain import number, when
from mainspring.domain.finding import ValidationReport
from mainspring.domain.release import Manifest, ReleaseRecord
from mainspring.domain.run import Run
from mainspring.domain.verdict import Estimate, Evidence, Outcome, Verdict

_FIRST = ("roc_auc", "rmse", "log_loss", "mae", "accuracy", "r2")


def release_json(record: ReleaseRecord) -> dict[str, Any]:
    """One release; `metrics` holds the values, `intervals` their bounds."""
    return {
        "ref": str(record.ref),
        "model": record.model,
        "number": record.number,
        "aliases": list(record.aliases),
        "created_at": record.created_at,
        "runtime": record.runtime,
        "metrics": {name: estimate.value for name, estimate in record.metrics.items()},
        "intervals": {name: [estimate.low, estimate.high] for name, estimate in record.metrics.items()},
        "run": record.run_id,
        "digest": record.digest,
    }


def run_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "model": run.model,
        "state": run.state,
        "stage": run.stage,
        "budget": run.budget,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "snapshot": run.snapshot,
        "release": f"{run.model}@{run.release}" if run.release is not None else None,
        "tracking_id": run.tracking_id,
        "detail": run.detail,
    }


def interval(estimate: Estimate) -> str:
    """`0.927 (0.921 to 0.933)`."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return number(estimate.value)
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"


def params_line(params: Mapping[str, Any]) -> str:
    """`depth=3, rate=0.05`."""
    return ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in params.items())


def metrics_line(metrics: Mapping[str, float | None]) -> str:
    """The few that people look at first."""
    chosen = [name for name in _FIRST if name in metrics][:3] or list(metrics)[:3]
    return ", ".join(f"{name} {number(metrics[name])}" for name in chosen) or "–"


def show_metrics(
    output: Output, metrics: Mapping[str, Estimate], naive: Mapping[str, float], *, measured_on: str = "holdout"
) -> None:
    """The metrics on the holdout (or the sample of an adopted release) beside those of the naive predictor."""
    if not metrics:
        return
    output.table(
        ["metric", f"{measured_on} (95 % interval)", "naive"],
        [[name, interval(estimate), number(naive.get(name))] for name, estimate in metrics.items()],
        right=["naive"],
    )


def show_verdicts(output: Output, verdicts: Sequence[Verdict]) -> None:
    """Each gate with its outcome; of a gate on slices, each slice that does not pass."""
    if not verdicts:
        return
    rows: list[list[str]] = []
    for verdict in verdicts:
        whole = [e for e in verdict.evidence if not e.slice]
        sliced = [e for e in verdict.evidence if e.slice and e.outcome is not Outcome.PASS]
        measured = _measured(whole[0]) if len(whole) == 1 else ["", "", ""]
        rows.append([verdict.gate, str(verdict.outcome), verdict.reason, *measured])
        for evidence in sliced:
            place = ", ".join(f"{k}={v}" for k, v in evidence.slice.items())
            rows.append([f"  {place}", str(evidence.outcome), evidence.note, *_measured(evidence)])
    output.table(
        ["gate", "verdict", "why", "measured (95 % interval)", "bar", "rows"], rows, right=["bar", "rows"]
    )


def _measured(evidence: Evidence) -> list[str]:
    return [interval(evidence.estimate), number(evidence.bar), f"{evidence.estimate.rows:,}"]


def show_report(output: Output, report: ValidationReport) -> None:
    """What the checks of the data found; silent where they found nothing."""
    from mainspring.data.report import report_table

    if report.findings:
        output.render(report_table(report))


def show_run(output: Output, run: Run) -> None:
    facts = {
        "run": run.id,
        "model": run.model,
        "state": f"{run.state} (stage {run.stage})",
        "started": when(run.started_at),
        "ended": when(run.ended_at),
        "snapshot": run.snapshot or "–",
        "release": f"{run.model}@{run.release}" if run.release is not None else "–",
        "MLflow run": run.tracking_id or "–",
    }
    for name, value in facts.items():
        output.line(f"{name:<10} {value}")


def release_of(manifest: Manifest) -> dict[str, Any]:
    """A sealed release, as far as its manifest tells."""
    return {
        "ref": str(manifest.ref),
        "model": manifest.model,
        "number": manifest.number,
        "task": manifest.task,
        "origin": manifest.origin,
        "created_at": manifest.created_at,
        "runtime": manifest.runtime.kind,
        "runtime_reason": manifest.runtime.reason,
        "metrics": {name: estimate.value for name, estimate in manifest.metrics.items()},
        "intervals": {name: [estimate.low, estimate.high] for name, estimate in manifest.metrics.items()},
        "naive": manifest.naive,
        "candidate": manifest.training.candidate if manifest.training is not None else None,
        "params": manifest.training.params if manifest.training is not None else {},
        "trials": manifest.training.trials if manifest.training is not None else 0,
        "snapshots": manifest.snapshots,
        "parent": manifest.parent,
        "warnings": manifest.warnings,
    }
