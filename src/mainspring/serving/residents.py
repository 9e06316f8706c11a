"""Opens a release in a worker: digest, signature, files, golden requests; then it is warm."""

import ctypes
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.release import Manifest
from mainspring.errors import TamperedRelease
from mainspring.release.computed import encoder_of
from mainspring.release.encoding_typed import TypedRows
from mainspring.release.opening import OpenRelease, open_release
from mainspring.release.runtimes.native import NativeRuntime
from mainspring.release.runtimes.onnx import OnnxRuntime
from mainspring.release.signing import trusted_keys
from mainspring.serving.background import let_thread_give_way
from mainspring.serving.batcher import CompiledBatcher, QueueBatcher
from mainspring.serving.table import Target

if TYPE_CHECKING:  # with the first release that has views
    from mainspring.serving.feature_rows import ReleaseViews

# What a loaded release was seen to take: a quarter of a megabyte, and of each byte of its model one (a matrix) to
# eight (the packed nodes of many trees).
_BASE = 1 << 18
_LEAST, _USUAL, _MOST = 1, 3, 8


class OpenedRelease:
    """A release in memory and the way in which requests are brought before it.

    Attributes:
        views: finds the features of its views; `None` where it has none.
        size: bytes that it takes, as nearly as can be told: what loading it took, within what is plausible for its
            files (other work goes on meanwhile); of a native release what its process takes.
    """

    def __init__(
        self, release: OpenRelease, batcher: CompiledBatcher | QueueBatcher, own_thread: Executor | None, size: int
    ) -> None:
        self.manifest: Manifest = release.manifest
        self.views = views_of(release.manifest)
        self.batcher = batcher
        self.size = size
        self._release = release
        self._own_thread = own_thread
        self.accept(())

    def accept(self, fields: Iterable[str]) -> None:
        """Let rows carry these fields, the event's key and the keys of views."""
        manifest = self.manifest
        encoder = encoder_of(manifest.inputs, (*fields, *manifest.ignored), self._release.computed)
        runtime = self._release.runtime
        if isinstance(runtime, OnnxRuntime | NativeRuntime):
            runtime.encoder = encoder
        if isinstance(self.batcher, CompiledBatcher):
            self.batcher.read_by(encoder.rows_to_matrix)
        else:
            self.batcher.read_by(encoder.rows_to_columns)

    def close(self) -> None:
        self._release.close()
        if self._own_thread is not None:
            self._own_thread.shutdown(wait=False)
        del self._release, self.batcher  # the model goes now, not when whoever closes it lets go of us
        give_back_memory()


class ReleaseLoader:
    """Opens releases for the pool; called in a thread.

    Args:
        trusted: the folder of the public keys, read anew for each release.
        alone, threads, batched: as `CompiledBatcher` takes them.
        max_waiting_rows: as `QueueBatcher` takes it.
        warm: told the views of a release before it answers.
    """

    def __init__(
        self,
        trusted: Path,
        *,
        alone: Callable[[], bool],
        threads: Executor,
        batched: Callable[[float], object],
        max_waiting_rows: int = 20_000,
        warm: "Callable[[ReleaseViews], object]" = lambda views: None,  # noqa: ARG005
    ) -> None:
        self._trusted = trusted
        self._warm = warm
        self._alone = alone
        self._threads = threads
        self._batched = batched
        self._max_waiting_rows = max_waiting_rows

    def estimate(self, target: Target) -> int:
        """The bytes that a release may take, by its files."""
        return _BASE + _USUAL * _model_bytes(Path(target.folder))

    def __call__(self, target: Target) -> OpenedRelease:
        """Raises `ReleaseError` when the release is not the one that was promoted, or does not hold."""
        if (Path(target.folder) / "model.onnx").exists():
            with ThreadPoolExecutor(1, f"proof of {target.ref}", let_thread_give_way) as apart:
                opened = apart.submit(self._opened, target).result()
        else:
            opened = self._opened(target)  # its process would inherit that it gives way
        if opened.views is not None:
            self._warm(opened.views)
        return opened

    def _opened(self, target: Target) -> OpenedRelease:
        before = resident_bytes()
        release = open_release(Path(target.folder), trusted_keys(self._trusted), expected_digest=target.digest)
        if str(release.manifest.ref) != target.ref:
            release.close()
            raise TamperedRelease(
                f"the folder of {target.ref} holds {release.manifest.ref}", cure="restore the release folder"
            )
        runtime = release.runtime
        files = _model_bytes(release.folder)
        if isinstance(runtime, OnnxRuntime):
            compiled = CompiledBatcher(
                release.encoder.rows_to_matrix,
                runtime,
                alone=self._alone,
                threads=self._threads,
                batched=self._batched,
                typed=_typed(release.manifest),
            )
            taken = min(max(resident_bytes() - before, _BASE + _LEAST * files), _BASE + _MOST * files)
            return OpenedRelease(release, compiled, None, taken)
        thread = ThreadPoolExecutor(1, thread_name_prefix=target.ref)
        queue = QueueBatcher(
            release.encoder.rows_to_columns,
            runtime.predict_rows,
            threads=thread,
            batched=self._batched,
            max_rows=self._max_waiting_rows,
        )
        pid = runtime.pid if isinstance(runtime, NativeRuntime) else None
        return OpenedRelease(release, queue, thread, max(resident_bytes(pid), _BASE + files))


def _typed(manifest: Manifest) -> TypedRows | None:
    """The quick reader of a release's rows, where they may be kept as they come."""
    if manifest.key_personal or any(field.personal for field in manifest.logged):
        return None
    if manifest.functions:  # they are given the rows as well
        return None
    try:
        return TypedRows(manifest.inputs, manifest.key)
    except ValueError:  # names that no type can have
        return None


def views_of(manifest: Manifest) -> "ReleaseViews | None":
    """Finds the features of a release's views, where it has some."""
    if not manifest.views:
        return None
    from mainspring.serving.feature_rows import ReleaseViews

    return ReleaseViews(manifest)


def resident_bytes(pid: int | None = None) -> int:
    """The memory that a process (this one by default) takes now; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
        return int(pages) * _PAGE
    return 0


def give_back_memory() -> None:
    """Hand freed memory to the system; the C library would keep it."""
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


_PAGE = 4096


def _model_bytes(folder: Path) -> int:
    """Of the largest file that looks like a model; 0 where the folder cannot be read, as opening it will tell."""
    sizes = [0]
    with suppress(OSError):
        sizes += [place.stat().st_size for place in folder.glob("model.*")]
    return max(sizes)
