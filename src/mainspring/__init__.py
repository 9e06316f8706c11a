"""Mainspring puts machine-learning models into production and keeps them right."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mainspring.version import VERSION

if TYPE_CHECKING:
    from mainspring.connection import connect
    from mainspring.domain.aggregation import Aggregation
    from mainspring.domain.feature_view import FeatureView
    from mainspring.domain.gate import Gate
    from mainspring.domain.model import Model
    from mainspring.domain.monitor import Monitor
    from mainspring.domain.request_features import RequestFeatures
    from mainspring.domain.retrain import Retrain
    from mainspring.domain.rollout import Canary, Rollout
    from mainspring.domain.source import Source

__all__ = [
    "Aggregation",
    "Canary",
    "FeatureView",
    "Gate",
    "Model",
    "Monitor",
    "RequestFeatures",
    "Retrain",
    "Rollout",
    "Source",
    "connect",
]
__version__ = VERSION

_PLACES = {
    "Aggregation": "domain.aggregation",
    "Canary": "domain.rollout",
    "FeatureView": "domain.feature_view",
    "Gate": "domain.gate",
    "Model": "domain.model",
    "Monitor": "domain.monitor",
    "RequestFeatures": "domain.request_features",
    "Retrain": "domain.retrain",
    "Rollout": "domain.rollout",
    "Source": "domain.source",
    "connect": "connection",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: a gateway's processes start faster without any of them."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return value
