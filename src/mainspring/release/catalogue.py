"""Finds releases by the names that people give them."""

import difflib
from pathlib import Path

from mainspring.domain.ids import digest_bytes
from mainspring.domain.ports import Records
from mainspring.domain.release import Manifest, ReleaseRecord, ReleaseRef
from mainspring.errors import TamperedRelease, UnknownRelease
from mainspring.release.files import read_plain
from mainspring.release.manifest import MANIFEST, decode_manifest


class Catalogue:
    """The releases of a workspace.

    Args:
        records: knows their numbers and aliases.
        root: the folder of the release folders.
    """

    def __init__(self, records: Records, root: Path) -> None:
        self._records = records
        self._root = root

    def find(self, reference: ReleaseRef) -> ReleaseRecord:
        """The release that the reference names.

        Raises:
            UnknownRelease: there is none; the message names the nearest.
        """
        found = self._records.find_release(reference)
        if found is None:
            raise UnknownRelease(
                f"there is no release {reference}", cure=self._cure(reference), where={"release": str(reference)}
            )
        return found

    def folder(self, record: ReleaseRecord) -> Path:
        return self._root / record.place

    def manifest(self, record: ReleaseRecord) -> Manifest:
        """The manifest, which is the one that was registered.

        Raises:
            TamperedRelease: it is absent or another one.
            ReleaseError: it cannot be read.
        """
        content = read_plain(self.folder(record), MANIFEST, release=str(record.ref))
        if digest_bytes(content) != record.digest:
            raise TamperedRelease(
                f"the manifest of {record.ref} is not the one that was registered",
                cure="fetch the release again from where it was sealed",
                where={"release": str(record.ref), "file": MANIFEST},
            )
        return decode_manifest(content)

    def _cure(self, reference: ReleaseRef) -> str:
        of_model = self._records.releases(reference.model)
        if not of_model:
            models = sorted({record.model for record in self._records.releases()})
            near = difflib.get_close_matches(reference.model, models, 1)
            if near:
                asked = f"@{reference.number}" if reference.number is not None else ""
                return f"did you mean {near[0]}{asked}?"
            if models:
                return f"there are releases of {', '.join(models[:10])}"
            return "make one with `mainspring run`"
        if reference.alias == "champion":
            return f"make one with `mainspring promote {of_model[0].ref}`"
        numbers = ", ".join(str(record.ref) for record in of_model[:5])
        return f"there is {numbers}" if len(of_model) <= 5 else f"the newest are {numbers}"
