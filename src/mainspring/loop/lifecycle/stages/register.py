"""Enter the sealed release into the records, then mirror it to the tracking store."""

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import ReleaseRecord
from mainspring.loop.lifecycle.context import RunContext
from mainspring.release.manifest import MANIFEST, decode_manifest


def run(context: RunContext) -> str:
    """The records' entry is what makes the folder a release."""
    assert context.run.release is not None, "the seal stage comes first"
    place = f"{context.model.name}/{context.run.release}"
    folder = context.workspace.settings.releases / place
    content = (folder / MANIFEST).read_bytes()
    manifest = decode_manifest(content)
    record = ReleaseRecord.of(manifest, digest=digest_bytes(content), place=place)
    context.workspace.records.put_release(record)
    context.workspace.tracking.mirror_release(record, folder, context.run.tracking_id)
    return f"{record.ref}"
