"""What a release says of a view → what the view's vectors hold.

Imports nothing but the standard library, numpy and msgspec: gateway workers use it.
"""

from __future__ import annotations

from datetime import timedelta

from mainspring.domain.durations import parse_duration
from mainspring.domain.release import ViewInput
from mainspring.features.stairs import Window
from mainspring.features.vectors import FeatureSlot, VectorLayout


def layout_of(view: ViewInput) -> VectorLayout:
    """What the vectors of a view hold.

    Examples:
        >>> from mainspring.domain.schema import Kind
        >>> view = ViewInput("ads", "ads-0", (), {}, (("width", Kind.INTEGER),), {"width": 300}, ttl="1s")
        >>> layout_of(view).features[0].default, layout_of(view).ttl
        (300, 1000000)
    """
    windows = {one.name: Window.of(one.aggregation) for one in view.windows}
    slots = tuple(FeatureSlot(name, kind, view.defaults.get(name), windows.get(name)) for name, kind in view.kinds)
    ttl = None if view.ttl is None else parse_duration(view.ttl) // timedelta(microseconds=1)
    return VectorLayout(view.view, slots, ttl)
