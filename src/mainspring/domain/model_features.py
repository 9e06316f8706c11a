"""What a model may learn from, checked as it is declared."""

from collections.abc import Iterator, Sequence

from mainspring.domain.feature_view import FeatureRef, FeatureView
from mainspring.domain.request_features import RequestFeatures
from mainspring.errors import DeclarationError

Feature = str | FeatureRef | RequestFeatures


def check_features(features: Sequence[Feature], *, target: str, time: str | None) -> None:
    """Raises `DeclarationError` where a model cannot learn from these.

    Args:
        target: what it predicts.
        time: the column of its source that says when a row happened.

    Examples:
        >>> check_features(["hour", "hour"], target="clicked", time=None)
        Traceback (most recent call last):
        mainspring.errors.DeclarationError: the feature 'hour' is named twice; name each feature once
    """
    names: list[str] = []
    for entry in features:
        names.extend(_names(entry))
    if target in names:
        raise DeclarationError(f"the target {target!r} is among the features", cure="take it out of the features")
    for name in names:
        if names.count(name) > 1:
            raise DeclarationError(f"the feature {name!r} is named twice", cure="name each feature once")
    _check_views([entry for entry in features if isinstance(entry, FeatureRef)], time)
    _check_functions([entry for entry in features if isinstance(entry, RequestFeatures)], names, target)


def _names(entry: Feature) -> Iterator[str]:
    """The columns that an entry stands for among a model's inputs."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, FeatureRef):
        yield entry.column
    elif isinstance(entry, RequestFeatures):
        yield from entry.outputs
    elif isinstance(entry, FeatureView):
        first = next(iter(entry), "…")
        raise DeclarationError(
            f"the whole view {entry.name!r} is among the features",
            cure=f"name those that the model takes: {entry.name}[{first!r}]",
        )
    else:
        raise DeclarationError(
            f"{entry!r} is no feature",
            cure='name a column, a feature of a view (creative["brightness"]) or give RequestFeatures(…)',
        )


def _check_views(refs: Sequence[FeatureRef], time: str | None) -> None:
    if refs and time is None:
        raise DeclarationError(
            f"{refs[0].column!r} is a feature as of a row's time, and the model's source does not say when its "
            "rows happened",
            cure='name the column: Source(…, time="shown_at")',
        )
    views: dict[str, FeatureView] = {}
    for ref in refs:
        if views.setdefault(ref.view.name, ref.view) is not ref.view:
            raise DeclarationError(
                f"features of two views named {ref.view.name!r} are among the features",
                cure="give each view a name of its own",
            )


def _check_functions(functions: Sequence[RequestFeatures], names: Sequence[str], target: str) -> None:
    made = {output for function in functions for output in function.outputs}
    for function in functions:
        for name in function.inputs:
            if name == target:
                raise DeclarationError(
                    f"RequestFeatures({function.name}) takes the target {name!r}, which no request has",
                    cure="take it out of its inputs",
                )
            if name in made:
                raise DeclarationError(
                    f"RequestFeatures({function.name}) takes {name!r}, which is made by a function itself",
                    cure="let one function make both",
                )
            view, dot, _ = name.partition(".")
            if dot and name not in names and any(known.startswith(f"{view}.") for known in names):
                raise DeclarationError(
                    f"RequestFeatures({function.name}) takes {name!r}, which is not among the model's features",
                    cure=f"add it to the features, or leave it out: {name}",
                )
