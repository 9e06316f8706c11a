"""A stream of rows for a feature view, as declared in `mainspring.toml`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStream:
    """A Redis stream whose entries are rows of a view's source.

    Attributes:
        view: the view's name.
        url: where Redis is.
        name: the stream's key there.
        group: the consumer group; those of one group share the entries.
        dead_after: milliseconds after which what a consumer read and did not acknowledge is given to another.
    """

    view: str
    name: str
    url: str = field(repr=False)
    group: str = "mainspring"
    dead_after: int = 30_000
