"""Release folders that are served without a project: in a container, or on a machine that only answers.

The folder is a release itself, or holds some, one level down (`adult/`) or two (`adult/3/`), at most one of each
model. Their signatures are proved with the public keys of the folder `trusted` beside them, or of another one. The
gateway gets a workspace of its own for them, so that it changes no project's routes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.ids import digest_bytes, digest_json
from mainspring.domain.release import Alias, Manifest, ReleaseRecord
from mainspring.errors import UsageError
from mainspring.release.files import read_plain
from mainspring.release.manifest import MANIFEST
from mainspring.release.signed_manifest import read_manifest
from mainspring.release.signing import TRUSTED, trusted_keys
from mainspring.serving.options import GatewayOptions
from mainspring.settings import GatewaySettings, Settings
from mainspring.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Served:
    """What a gateway serves: a workspace, which is the caller's to close, and where its releases and keys lie."""

    workspace: Workspace
    releases: Path
    trusted: Path

    @classmethod
    def of(cls, workspace: Workspace) -> "Served":
        """The releases of a project."""
        return cls(workspace, workspace.settings.releases, workspace.trusted)

    def options(self, gateway: GatewaySettings) -> GatewayOptions:
        """How the gateway runs that listens as these settings say."""
        settings = self.workspace.settings
        return GatewayOptions(
            settings=gateway,
            releases=self.releases,
            trusted=self.trusted,
            folder=self.workspace.gateway_folder,
            tables=settings.tables_url,
            features=settings.features_url,
            log=settings.log,
        )


def open_folder(
    settings: Settings, place: Path, trusted: Path | None = None, clock: Clock = SYSTEM_CLOCK
) -> Served:
    """Make the releases of a folder the champions of a workspace of their own.

    Args:
        settings: whose workspace folder is used, and whose gateway settings and tables hold.
        place: the folder.
        trusted: the public keys; `None` means `trusted` in the folder, or beside it where it is a release itself.

    Raises:
        UsageError: no release, no key, or two releases of one model.
        TamperedRelease: a release is not signed by one of the keys.
    """
    folders = _folders(place)
    alone = folders == [place]
    root = place.parent if alone else place
    keys = trusted or root / TRUSTED
    known = trusted_keys(keys)
    if not known:
        raise UsageError(
            f"there is no public key in {keys}",
            cure="put the public key of whoever sealed the release there (from .mainspring/keys/trusted), or name "
            "the folder with --trusted",
            where={"folder": str(keys)},
        )
    found = [(folder, read_manifest(folder, known)) for folder in folders]
    _check_models([manifest for _, manifest in found])
    digests = [digest_bytes(read_plain(folder, MANIFEST, release=str(m.ref))) for folder, m in found]
    own = settings.workspace / "served" / digest_json([str(place), *digests])[:16]
    workspace = Workspace(
        replace(settings, workspace=own, records_url=f"sqlite:///{own / 'records.db'}", releases=root), clock
    )
    try:
        for (folder, manifest), digest in zip(found, digests, strict=True):
            _register(workspace, manifest, digest, folder.relative_to(root))
    except BaseException:
        workspace.close()
        raise
    return Served(workspace, root, keys)


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        raise UsageError(f"there is no folder {place}", cure="name a release folder", where={"folder": str(place)})
    if (place / MANIFEST).is_file():
        return [place]
    found = sorted(path.parent for pattern in ("*", "*/*") for path in place.glob(f"{pattern}/{MANIFEST}"))
    if not found:
        raise UsageError(
            f"there is no release in {place}: no {MANIFEST} there or in a folder below",
            cure="name the folder of a release, e.g. .mainspring/releases/adult/3",
            where={"folder": str(place)},
        )
    return found


def _check_models(manifests: Sequence[Manifest]) -> None:
    models = [manifest.model for manifest in manifests]
    for model in models:
        if models.count(model) > 1:
            refs = [str(manifest.ref) for manifest in manifests if manifest.model == model]
            raise UsageError(
                f"the folder holds {len(refs)} releases of one model: {', '.join(refs)}",
                cure="keep the one that is to answer",
                where={"model": model},
            )


def _register(workspace: Workspace, manifest: Manifest, digest: str, place: Path) -> None:
    records = workspace.records
    if records.find_release(manifest.ref) is None:
        records.put_release(ReleaseRecord.of(manifest, digest=digest, place=str(place)))
    records.set_alias(
        manifest.model, Alias.CHAMPION, manifest.number, actor="serve", reason="the folder that is served"
    )
