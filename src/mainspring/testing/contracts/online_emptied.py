"""What `ports_features.OnlineStore` says of a store that is emptied from outside: a flush, a deleted file."""

from collections.abc import Callable

import pytest

from mainspring.domain.ports_features import OnlineStore
from mainspring.errors import StoreError
from mainspring.testing.contracts.online import ADS, OnlineContract, numbered


class EmptiedContract(OnlineContract):
    """Subclass it, and give besides `open_store` the fixture `empty`, which empties that store from outside."""

    def test_an_emptied_store_is_seen(
        self, store: OnlineStore, other: OnlineStore, empty: Callable[[], None]
    ) -> None:
        store.write(ADS, numbered(0, 3), fence=3)
        store.mark(ADS, b"m", fence=3)
        assert other.read([(ADS, [b"key0"])]) == [[b"v0"]]
        empty()
        assert other.read([(ADS, [b"key0"])]) == [[None]]
        assert (other.marked(ADS), store.marked(ADS), store.count(ADS)) == (None, None, 0)
        store.write(ADS, numbered(0, 1), fence=3)
        assert other.read([(ADS, [b"key0"])]) == [[b"v0"]]

    def test_no_mark_is_set_where_what_was_written_has_gone(
        self, store: OnlineStore, empty: Callable[[], None]
    ) -> None:
        store.write(ADS, numbered(0, 3), fence=3)
        empty()
        for _ in range(2):  # not even when tried again
            with pytest.raises(StoreError, match="emptied while"):
                store.write(ADS, numbered(3, 3), fence=3)
            with pytest.raises(StoreError, match="emptied while"):
                store.remove(ADS, [b"key0"], fence=3)
            with pytest.raises(StoreError, match="emptied while"):
                store.mark(ADS, b"m", fence=3)
        assert store.count(ADS) == 0
        assert store.marked(ADS) is None  # the start of the next one
        store.write(ADS, numbered(0, 6), fence=4)
        store.mark(ADS, b"m", fence=4)
        assert (store.count(ADS), store.marked(ADS)) == (6, b"m")

    def test_nor_where_what_was_marked_has_gone(
        self, store: OnlineStore, other: OnlineStore, empty: Callable[[], None]
    ) -> None:
        other.write(ADS, numbered(0, 3), fence=1)
        other.mark(ADS, b"m", fence=1)
        assert store.marked(ADS) == b"m"
        empty()
        with pytest.raises(StoreError, match="emptied while"):
            store.write(ADS, numbered(3, 3), fence=2)

    def test_a_store_that_was_filled_anew_is_another(
        self, store: OnlineStore, other: OnlineStore, empty: Callable[[], None]
    ) -> None:
        store.write(ADS, numbered(0, 3), fence=1)
        empty()
        other.marked(ADS)
        other.write(ADS, numbered(0, 1, b"new"), fence=1)
        with pytest.raises(StoreError, match="emptied while"):
            store.mark(ADS, b"m", fence=1)
        assert other.marked(ADS) is None
