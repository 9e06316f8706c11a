"""What the demo says at its end: the measured figures, and where to look next."""

from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.cli.history_words import what_happened
from mainspring.cli.output import Output
from mainspring.cli.plain import counted
from mainspring.cli.views import interval, release_of
from mainspring.demo.click_through import ClickThrough
from mainspring.demo.features_seen import FeaturesSeen
from mainspring.demo.story import Story
from mainspring.domain.history import Entry, EntryKind
from mainspring.domain.release import Manifest, ReleaseRef

_NEVER = "it did not come to that"
_TOLD = (EntryKind.CHAMPION, EntryKind.TRAINING, EntryKind.ROLLOUT, "trigger")


def tell_story(output: Output, story: Story) -> None:
    """The story as a document, and as tables for people."""
    output.document(_document(story))
    output.table(
        ["chapter", "what happened", "seconds"],
        [
            [name, words, f"{story.seconds[name]:.1f}" if name in story.seconds else ""]
            for name, words in _rows(story)
        ],
        title="What the demo did",
        right=["seconds"],
    )
    output.table(
        ["click-through", "expected by the law", "clicks that came", "best possible", "by chance", "ads shown"],
        list(_click_through_rows(story)),
        title="What the choice of ads was worth",
        right=["expected by the law", "clicks that came", "best possible", "by chance", "ads shown"],
    )
    output.table(
        ["when", "what", "by"],
        [[f"{entry.at:%H:%M:%S}", _what(entry), entry.actor] for entry in story.history if _is_told(entry)],
        title="What the history says",
    )
    holds = "holds" if story.history_holds else "DOES NOT HOLD"
    output.line(f"Its chain {holds}; it tells of {counted(len(story.history), 'thing')} in all.")
    if story.lived.missing:
        output.line(f"The story did not come to its end: {story.lived.missing}", style="red")
    for failure in story.counts.failures:
        output.line(f"A request failed: {failure}", style="red")
    _next_steps(output, story)


def _document(story: Story) -> dict[str, Any]:
    lived, reproduction = story.lived, story.lived.reproduction
    return {
        "project": story.folder,
        "impressions": story.impressions,
        "best_auc": story.best_auc,
        "release": release_of(story.manifest),
        "click_through": {
            "before": _rates(lived.before),
            "after_the_change": _rates(lived.after),
            "by_the_new_champion": _rates(lived.renewed),
            "by_the_faulty_release": _rates(lived.faulty),
        },
        "champion": _ref(lived.champion),
        "faulty_release": _ref(lived.faulty_release),
        "seconds_from_the_change": {
            name: lived.seconds.get(name) for name in ("alert", "training", "release", "champion")
        },
        "seconds_to_the_rollback": lived.seconds.get("rollback"),
        "trigger": lived.trigger,
        "window": lived.window,
        "stages": lived.stages,
        "proof": lived.proof,
        "rollback": lived.rollback,
        "features": [
            {
                "view": one.view,
                "rows": one.asked,
                "found": one.found_share,
                "checked": one.checked,
                "agreeing": one.agreeing_share,
            }
            for one in lived.features
        ],
        "reproduced": reproduction is not None and reproduction.holds,
        "requests": story.counts.requests,
        "predictions": story.counts.predictions,
        "labels": story.counts.labels,
        "visits": story.counts.visits,
        "failed_requests": story.counts.failed,
        "history": {"entries": len(story.history), "holds": story.history_holds},
        "missing": lived.missing or None,
        "seconds": story.seconds,
    }


def _rows(story: Story) -> Iterator[tuple[str, str]]:
    """Chapter by chapter, in words."""
    lived, counts, seconds = story.lived, story.counts, story.lived.seconds
    yield "simulate", f"{story.impressions:,} impressions in {story.folder}/data, 60 banners"
    yield from _run_rows(story.manifest, story.best_auc)
    yield (
        "up",
        f"{counts.requests:,} requests over HTTP, {counts.predictions:,} predictions, {counts.labels:,} labels "
        f"fed back, {counts.visits:,} visits pushed, {counts.failed:,} requests failed",
    )
    yield "change", f"the alert fired {_after(seconds, 'alert')} the taste had changed"
    yield "retrain", f"the controller trained for {lived.trigger}" if lived.trigger else _NEVER
    if lived.window:
        yield "", f"it learnt from {lived.window}"
    yield "prove", f"{' → '.join(lived.stages)}: {lived.proof}" if lived.proof else _NEVER
    yield (
        "champion",
        (f"{lived.champion} answers, {_after(seconds, 'champion')} the change" if lived.champion else _NEVER),
    )
    if lived.reproduction is not None:
        yield (
            "",
            (
                "fitted again from its records: the same predictions, bit for bit"
                if lived.reproduction.holds
                else "fitted again it differs: " + "; ".join(lived.reproduction.differences)
            ),
        )
    for one in lived.features:
        yield "", _features(one)
    yield (
        "fault",
        f"{lived.faulty_release}, trained on an export with the clicks the wrong way round, past all gates"
        if lived.faulty_release
        else _NEVER,
    )
    yield (
        "rollback",
        (
            f"taken back {_after(seconds, 'rollback')} its promotion: {lived.rollback}"
            if lived.rollback
            else _NEVER
        ),
    )
    yield "end", "everything is down"


def _features(seen: FeaturesSeen) -> str:
    return (
        f"features of the view {seen.view}: {_share(seen.found_share)} of {seen.asked:,} rows found by key; "
        f"{_share(seen.agreeing_share)} of {seen.checked:,} agree with history"
    )


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def _run_rows(manifest: Manifest, best_auc: float) -> Iterator[tuple[str, str]]:
    assert manifest.training is not None, "the demo's project has trained it"
    yield "run", f"{manifest.ref}: {manifest.training.candidate}, the best of {manifest.training.trials} trials"
    yield "", f"ROC AUC {interval(manifest.metrics['roc_auc'])} on the newest fifth of the rows"
    yield "", f"the law itself, which no model can beat, has {best_auc:.3f}"
    yield "", f"{manifest.runtime.kind}: {manifest.runtime.reason}"


def _click_through_rows(story: Story) -> Iterator[list[str]]:
    lived = story.lived
    for name, found in (
        (f"{story.manifest.ref}, before the change", lived.before),
        (f"{story.manifest.ref}, after the change", lived.after),
        (f"{lived.champion or 'the new champion'}, after the change", lived.renewed),
        (f"{lived.faulty_release or 'the faulty release'}, after the change", lived.faulty),
    ):
        if found is None:
            yield [name, *["–"] * 5]
        else:
            rates = (found.chosen, found.clicked, found.best, found.random)
            yield [name, *(f"{rate:.1%}" for rate in rates), f"{found.shown:,}"]


def _rates(found: ClickThrough | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "shown": found.shown,
        "chosen": found.chosen,
        "clicked": found.clicked,
        "best_possible": found.best,
        "by_chance": found.random,
        "of_possible": found.of_possible,
    }


def _ref(release: ReleaseRef | None) -> str | None:
    return None if release is None else str(release)


def _after(seconds: Mapping[str, float], what: str) -> str:
    return f"{seconds[what]:.0f} s after" if what in seconds else "never after"


def _is_told(entry: Entry) -> bool:
    return entry.kind in _TOLD


def _what(entry: Entry) -> str:
    words = what_happened(entry)
    return f"{words}: {entry.reason}" if words == entry.kind and entry.reason else words


def _next_steps(output: Output, story: Story) -> None:
    champion = story.lived.champion or story.manifest.ref
    output.line(f"Try next:  cd {story.folder}")
    card = f".mainspring/releases/{champion.model}/{champion.number}/MODEL_CARD.md"
    for command, why in {
        "mainspring status": "what answers now",
        f"mainspring history {champion.model}": "who did what, when, why, on which evidence",
        f"mainspring monitor report {champion.model}": "the inputs, the answers and their quality by the hour",
        f"less {card}": "the new champion's model card",
        "mainspring features list": "what is known of ads and visitors by their keys",
        "mainspring up": "go on; see also up.log, what the loop said meanwhile",
    }.items():
        output.line(f"  {command:<57} {why}")
