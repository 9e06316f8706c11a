"""Opens a sealed release: signature, digests of the very bytes that are used, golden requests; then it may answer.

Imports neither polars nor pandas: gateway workers use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mainspring.domain.release import FEATURES, Manifest, RuntimeKind
from mainspring.release.computed import Computed, computed_of, encoder_of
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
        computed: what its functions make of its inputs; `None` where it has none.
    """

    manifest: Manifest
    encoder: Encoder
    runtime: Runtime
    folder: Path
    difference: float
    computed: Computed | None = None

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
        FeatureError: its functions do not run here.
    """
    manifest = read_manifest(folder, trusted, expected_digest=expected_digest)
    golden = decode_golden(read_verified(folder, manifest, GOLDEN), release=str(manifest.ref))
    check_whole(folder, manifest, skip=(GOLDEN, *manifest.runtime.files))
    computed = _computed(folder, manifest)
    runtime = _runtime(folder, manifest, computed)
    try:
        difference = replay(golden, runtime, manifest)
    except BaseException:
        runtime.close()
        raise
    encoder = encoder_of(manifest.inputs, manifest.ignored, computed)
    return OpenRelease(manifest, encoder, runtime, folder, difference, computed)


def _computed(folder: Path, manifest: Manifest) -> Computed | None:
    """What its functions make, where it has some."""
    if not manifest.functions:
        return None
    return computed_of(manifest, read_verified(folder, manifest, FEATURES))


def _runtime(folder: Path, manifest: Manifest, computed: Computed | None) -> Runtime:
    """Each verifies the bytes that it takes, and takes no others."""
    if manifest.runtime.kind is RuntimeKind.ONNX:
        from mainspring.release.runtimes.onnx import OnnxRuntime

        (model,) = manifest.runtime.files
        content = read_verified(folder, manifest, model)
        return OnnxRuntime(content, manifest.inputs, ignored=manifest.ignored, computed=computed)
    from mainspring.release.runtimes.native import NativeRuntime

    return NativeRuntime(folder, manifest, computed=computed)
