"""Opens a sealed release: signature, digests of the very bytes that are used, golden requests; then it may answer.

Imports neither polars nor pandas: gateway workers use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mainspring.domain.release import Manifest, RuntimeKind
from mainspring.release.encoding import Encoder
from mainspring.release.files import check_whole, read_verified
from mainspring.release.golden import GOLDEN, decode_golden, replay
from mainspring.release.runtimes.base import Runtime
from mainspring.release.signed_manifest import read_manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class OpenRelease:
    """A release that was shown to be the one that was sealed, and to answer as its original did.

    Attributes:
        difference: the greatest difference of a golden answer, relative as the tolerance is.
    """

    manifest: Manifest
    encoder: Encoder
    runtime: Runtime
    folder: Path
    difference: float

    def runtime_for_many_rows(self) -> Runtime:
        """The runtime that answers whole tables fastest; the same answers. Not for gateway workers."""
        from mainspring.release.runtimes.onnx import OnnxRuntime
        from mainspring.release.runtimes.tabled import for_many_rows

        if not isinstance(self.runtime, OnnxRuntime):
            return self.runtime
        (model,) = self.manifest.runtime.files
        return for_many_rows(self.runtime, read_verified(self.folder, self.manifest, model), self.manifest.inputs)

    def close(self) -> None:
        """End the runtime."""
        self.runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_release(
    folder: Path, trusted: Sequence[Ed25519PublicKey], *, expected_digest: str | None = None
) -> OpenRelease:
    """Open a release and prove it.

    Args:
        trusted, expected_digest: as `read_manifest` takes them.

    Raises:
        TamperedRelease: the manifest is not trusted, or a file is absent, changed or was added.
        GoldenMismatch: it does not answer as its original did.
        ReleaseError: its model does not load here.
    """
    manifest = read_manifest(folder, trusted, expected_digest=expected_digest)
    golden = decode_golden(read_verified(folder, manifest, GOLDEN), release=str(manifest.ref))
    check_whole(folder, manifest, skip=(GOLDEN, *manifest.runtime.files))
    runtime = _runtime(folder, manifest)
    try:
        difference = replay(golden, runtime, manifest)
    except BaseException:
        runtime.close()
        raise
    return OpenRelease(manifest, Encoder(manifest.inputs, manifest.ignored), runtime, folder, difference)


def _runtime(folder: Path, manifest: Manifest) -> Runtime:
    """Each verifies the bytes that it takes, and takes no others."""
    if manifest.runtime.kind is RuntimeKind.ONNX:
        from mainspring.release.runtimes.onnx import OnnxRuntime

        (model,) = manifest.runtime.files
        return OnnxRuntime(read_verified(folder, manifest, model), manifest.inputs, ignored=manifest.ignored)
    from mainspring.release.runtimes.native import NativeRuntime

    return NativeRuntime(folder, manifest)
