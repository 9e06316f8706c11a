"""Memory keeps the law of online stores."""

from collections.abc import Callable

import pytest

from mainspring.features.online.memory import MemoryStore
from mainspring.testing.contracts.online import OnlineContract


class TestMemory(OnlineContract):
    @pytest.fixture
    def open_store(self) -> Callable[[], MemoryStore]:
        store = MemoryStore()
        return lambda: store
