"""The part of a model card that says which feature views a release takes features of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mainspring.domain.release import Manifest
from mainspring.release.card_words import code, text


def views_section(manifest: Manifest, sources: Mapping[str, str]) -> Iterator[str]:
    """Nothing where it takes none.

    Args:
        sources: of each view where its rows were from, as `rows_from` says it.
    """
    if not manifest.views:
        return
    yield "## Feature views"
    yield ""
    yield "A request names the keys in place of the features, or gives the features itself."
    yield ""
    yield "| view | by key | features | rows from |"
    yield "| --- | --- | --- | --- |"
    for view in manifest.views:
        keys = ", ".join(f"`{code(key.name)}`" for key in view.keys)
        features = ", ".join(f"`{code(name)}`" for name in view.features)
        yield f"| `{view.id}` | {keys} | {features} | {text(sources.get(view.view, '–'))} |"
    yield ""


def rows_from(source: str, pushed: int) -> str:
    """Where the rows of a view were from, in words.

    Args:
        pushed: how many rows besides were pushed to it.

    Examples:
        >>> rows_from("ads.csv", 0), rows_from("ads.csv", 1_200)
        ('ads.csv', 'ads.csv, and 1,200 pushed')
    """
    return f"{source}, and {pushed:,} pushed" if pushed else source
