"""Opens a release in a worker: digest, signature, files, golden requests; then it is warm."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from mainspring.domain.release import Manifest
from mainspring.errors import TamperedRelease
from mainspring.release.opening import OpenRelease, open_release
from mainspring.release.runtimes.onnx import OnnxRuntime
from mainspring.release.signing import trusted_keys
from mainspring.serving.batcher import Batcher, CompiledBatcher, QueueBatcher
from mainspring.serving.table import Target


class OpenedRelease:
    """A release in memory and the way in which requests are brought before it."""

    def __init__(self, release: OpenRelease, batcher: Batcher, own_thread: Executor | None) -> None:
        self._release = release
        self._own_thread = own_thread
        self.batcher = batcher

    @property
    def manifest(self) -> Manifest:
        return self._release.manifest

    def close(self) -> None:
        self._release.close()
        if self._own_thread is not None:
            self._own_thread.shutdown(wait=False)


class ReleaseLoader:
    """Opens releases for the pool; called in a thread.

    Args:
        trusted: the folder of the public keys, read anew for each release.
        alone, threads, batched: as `CompiledBatcher` takes them.
    """

    def __init__(
        self,
        trusted: Path,
        *,
        alone: Callable[[], bool],
        threads: Executor,
        batched: Callable[[float], object],
    ) -> None:
        self._trusted = trusted
        self._alone = alone
        self._threads = threads
        self._batched = batched

    def __call__(self, target: Target) -> OpenedRelease:
        """Raises `ReleaseError` when the release is not the one that was promoted, or does not hold."""
        release = open_release(Path(target.folder), trusted_keys(self._trusted), expected_digest=target.digest)
        if str(release.manifest.ref) != target.ref:
            release.close()
            raise TamperedRelease(
                f"the folder of {target.ref} holds {release.manifest.ref}", cure="restore the release folder"
            )
        if isinstance(release.runtime, OnnxRuntime):
            batcher: Batcher = CompiledBatcher(
                release.encoder.rows_to_matrix,
                release.runtime,
                alone=self._alone,
                threads=self._threads,
                batched=self._batched,
            )
            return OpenedRelease(release, batcher, None)
        thread = ThreadPoolExecutor(1, thread_name_prefix=target.ref)
        return OpenedRelease(
            release,
            QueueBatcher(
                release.encoder.rows_to_columns,
                release.runtime.predict_rows,
                threads=thread,
                batched=self._batched,
            ),
            thread,
        )
