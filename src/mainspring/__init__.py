"""Mainspring puts machine-learning models into production and keeps them right."""

from mainspring.connection import connect
from mainspring.domain.gate import Gate
from mainspring.domain.model import Model
from mainspring.domain.rollout import Canary, Rollout
from mainspring.domain.source import Source
from mainspring.version import VERSION

__all__ = ["Canary", "Gate", "Model", "Rollout", "Source", "connect"]
__version__ = VERSION
