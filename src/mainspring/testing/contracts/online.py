"""The law of `ports_features.OnlineStore`, as tests that every backend must pass."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from mainspring.domain.ports_features import EntityKey, OnlineStore, Vector
from mainspring.errors import WorkspaceBusy

ADS, VISITORS, SHOPS = "ads-0123456789ab", "visitors-ba9876543210", "shops_2-00ff00ff00ff"


def numbered(start: int, count: int, text: bytes = b"v") -> list[tuple[EntityKey, Vector]]:
    return [(b"key%d" % place, text + b"%d" % place) for place in range(start, start + count)]


def one(store: OnlineStore, key: EntityKey, view: str = ADS) -> Vector | None:
    ((vector,),) = store.read([(view, [key])])
    return vector


class OnlineContract:
    """Subclass it, and give the fixture `open_store`, which opens the same empty store each time."""

    @pytest.fixture
    def store(self, open_store: Callable[[], OnlineStore]) -> Iterator[OnlineStore]:
        store = open_store()
        yield store
        store.close()

    @pytest.fixture
    def other(self, open_store: Callable[[], OnlineStore]) -> Iterator[OnlineStore]:
        """The same store, as another process has it."""
        other = open_store()
        yield other
        other.close()

    def test_nothing_is_none_or_zero(self, store: OnlineStore) -> None:
        assert store.read([]) == []
        assert store.read([(ADS, [])]) == [[]]
        assert store.read([(ADS, [b"a", b"b"]), (SHOPS, [b"a"])]) == [[None, None], [None]]
        assert (store.count(ADS), store.marked(ADS)) == (0, None)
        store.drop(ADS)
        store.remove(ADS, [b"a"], fence=1)
        assert store.write(ADS, [], fence=1) == 0
        assert store.count(ADS) == 0

    def test_what_is_written_is_read_by_everybody(self, store: OnlineStore, other: OnlineStore) -> None:
        assert store.write(ADS, numbered(0, 3), fence=1) == 3
        asked: list[tuple[str, Sequence[EntityKey]]] = [(ADS, [b"key2", b"nosuch", b"key0", b"key2"])]
        assert store.read(asked) == other.read(asked) == [[b"v2", None, b"v0", b"v2"]]

    def test_any_bytes_are_keys_and_vectors(self, store: OnlineStore) -> None:
        words = [
            b"",
            b"\x00",
            b"\x00\x00",
            b"\x01",
            b"fence",
            b"mark",
            b"epoch",
            b"\xff" * 7,
            b"\xff" * 8,
            b"k" * 3_000,
        ]
        given = [(word, b"%d" % place + word[::-1]) for place, word in enumerate(words)]
        store.write(ADS, given, fence=1)
        store.mark(ADS, b"\x00\xff", fence=1)
        assert store.read([(ADS, words)]) == [[vector for _, vector in given]]
        assert [one(store, word) for word in words] == [vector for _, vector in given]
        assert (store.count(ADS), store.marked(ADS)) == (len(words), b"\x00\xff")

    def test_one_round_reads_several_views(self, store: OnlineStore) -> None:
        store.write(ADS, numbered(0, 3, b"ad"), fence=1)
        store.write(SHOPS, numbered(1, 3, b"shop"), fence=1)
        found = store.read([(SHOPS, [b"key0"]), (VISITORS, [b"key0"]), (ADS, [b"key0"])])
        assert found == [[None], [None], [b"ad0"]]
        found = store.read(
            [(SHOPS, [b"key3", b"key0"]), (ADS, [b"key2"]), (VISITORS, [b"key0", b"key1"]), (ADS, [])]
        )
        assert found == [[b"shop3", None], [b"ad2"], [None, None], []]

    def test_many_keys_are_read_at_once(self, store: OnlineStore) -> None:
        store.write(ADS, numbered(0, 25_000), fence=1)
        keys = [b"key%d" % (place * 7) for place in range(10_000)]
        expected = [b"v%d" % (place * 7) if place * 7 < 25_000 else None for place in range(10_000)]
        assert store.read([(ADS, keys)]) == [expected]
        assert store.count(ADS) == 25_000

    def test_many_views_are_read_at_once(self, store: OnlineStore) -> None:
        views = [f"view{number}-0123456789ab" for number in range(150)]
        for number, view in enumerate(views[:100]):
            store.write(view, [(b"a", b"%d" % number)], fence=1)
        found = store.read([(view, [b"a"]) for view in views])
        assert found == [[b"%d" % number] if number < 100 else [None] for number in range(150)]

    def test_a_later_vector_takes_the_place_of_an_earlier_one(self, store: OnlineStore) -> None:
        store.write(ADS, numbered(0, 3), fence=1)
        store.write(ADS, numbered(1, 1, b"new"), fence=1)
        assert store.write(ADS, numbered(1, 1, b"new"), fence=1) == 1
        assert store.read([(ADS, [b"key0", b"key1", b"key2"])]) == [[b"v0", b"new1", b"v2"]]
        assert store.count(ADS) == 3

    def test_of_two_vectors_in_one_write_the_later_one_stays(self, store: OnlineStore) -> None:
        given = [*numbered(0, 130, b"one"), *numbered(60, 1, b"two"), *numbered(0, 1, b"two")]
        assert store.write(ADS, given, fence=1) == 132
        asked = [key for key, _ in numbered(0, 130)]
        assert store.read([(ADS, asked)]) == [[dict(given)[key] for key in asked]]
        assert store.count(ADS) == 130

    def test_removed_entities_are_gone(self, store: OnlineStore, other: OnlineStore) -> None:
        store.write(ADS, numbered(0, 3), fence=1)
        store.write(SHOPS, numbered(0, 3), fence=1)
        store.remove(ADS, [b"key1", b"nosuch"], fence=1)
        store.remove(ADS, [b"key1"], fence=1)
        assert other.read([(ADS, [b"key0", b"key1"]), (SHOPS, [b"key1"])]) == [[b"v0", None], [b"v1"]]
        assert other.count(ADS) == 2

    def test_a_dropped_view_is_gone_with_its_mark(self, store: OnlineStore, other: OnlineStore) -> None:
        for view in (ADS, SHOPS):
            store.write(view, numbered(0, 3), fence=5)
            store.mark(view, b"m", fence=5)
        other.read([(ADS, [b"key0"])])
        store.drop(ADS)
        assert other.read([(ADS, [b"key0"]), (SHOPS, [b"key0"])]) == [[None], [b"v0"]]
        assert (other.count(ADS), other.marked(ADS)) == (0, None)
        assert (other.count(SHOPS), other.marked(SHOPS)) == (3, b"m")
        store.write(ADS, numbered(7, 1), fence=5)
        assert other.read([(ADS, [b"key0", b"key7"])]) == [[None, b"v7"]]

    def test_the_newest_mark_stands(self, store: OnlineStore, other: OnlineStore) -> None:
        store.write(ADS, numbered(0, 1), fence=1)
        assert other.marked(ADS) is None
        for mark in (b"one", b"", b"three"):
            store.mark(ADS, mark, fence=1)
            assert other.marked(ADS) == mark
        assert other.marked(SHOPS) is None
        store.mark(SHOPS, b"of a view without entities", fence=1)
        assert (other.marked(SHOPS), other.count(SHOPS)) == (b"of a view without entities", 0)

    def test_a_writer_whose_place_was_taken_changes_nothing(self, store: OnlineStore, other: OnlineStore) -> None:
        store.write(ADS, numbered(0, 3), fence=7)
        store.mark(ADS, b"seven", fence=7)
        other.write(ADS, numbered(0, 1, b"new"), fence=8)
        with pytest.raises(WorkspaceBusy, match=f"{ADS} .* began later"):
            store.write(ADS, numbered(0, 30_000, b"late"), fence=7)
        with pytest.raises(WorkspaceBusy):
            store.remove(ADS, [b"key1"], fence=7)
        with pytest.raises(WorkspaceBusy):
            store.mark(ADS, b"late", fence=7)
        assert store.read([(ADS, [b"key0", b"key1", b"key2", b"key5"])]) == [[b"new0", b"v1", b"v2", None]]
        assert (store.count(ADS), store.marked(ADS)) == (3, b"seven")
        store.write(SHOPS, numbered(0, 1), fence=1)  # fences are a view's own
        other.write(ADS, numbered(0, 1, b"newer"), fence=8)
        assert one(store, b"key0") == b"newer0"

    def test_a_mark_takes_the_place_too(self, store: OnlineStore, other: OnlineStore) -> None:
        store.write(ADS, numbered(0, 1), fence=1)
        other.mark(ADS, b"two", fence=2)
        with pytest.raises(WorkspaceBusy):
            store.write(ADS, numbered(0, 1, b"late"), fence=1)
        assert one(store, b"key0") == b"v0"

    def test_a_writer_that_is_overtaken_in_the_middle_stops(self, store: OnlineStore, other: OnlineStore) -> None:
        def vectors() -> Iterator[tuple[EntityKey, Vector]]:
            yield from numbered(0, 30_000, b"old")
            other.write(ADS, numbered(0, 1, b"new"), fence=2)
            yield from numbered(30_000, 30_000, b"old")

        with pytest.raises(WorkspaceBusy):
            store.write(ADS, vectors(), fence=1)
        assert one(store, b"key0") == b"new0"
        assert one(store, b"key59999") is None

    def test_it_is_used_by_many_threads(self, store: OnlineStore) -> None:
        """Each vector is read whole: it says its own key and the round in which all of a write were made."""
        keys = [b"%d" % number for number in range(200)]
        failures: list[str] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                for key, vector in zip(keys, store.read([(ADS, keys)])[0], strict=True):
                    if vector is not None and vector != b"-".join([key] * (1 + len(vector) // (len(key) + 1))):
                        failures.append(f"{key!r} is {vector!r}")

        def write(view: str) -> None:
            for length in range(1, 40):
                store.write(view, [(key, b"-".join([key] * length)) for key in keys], fence=1)

        readers = [threading.Thread(target=read) for _ in range(3)]
        writers = [threading.Thread(target=write, args=(view,)) for view in (ADS, ADS, SHOPS)]
        for thread in (*readers, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
        assert failures == []
        assert store.read([(ADS, keys)]) == [[b"-".join([key] * 39) for key in keys]]
