"""People find a release by its name, or are told the nearest."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import Alias, ReleaseRecord, ReleaseRef
from mainspring.errors import TamperedRelease, UnknownRelease
from mainspring.release.catalogue import Catalogue
from mainspring.release.manifest import encode_manifest
from mainspring.stores.records import SqlRecords
from mainspring.testing.contracts.records import a_release
from mainspring.testing.releases import a_manifest


@pytest.fixture
def records() -> Iterator[SqlRecords]:
    found = SqlRecords("sqlite://")
    yield found
    found.close()


def test_by_number_and_by_alias(records: SqlRecords, tmp_path: Path) -> None:
    for number in (1, 2):
        records.put_release(a_release(number))
    records.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first")
    catalogue = Catalogue(records, tmp_path)
    found = {
        name: catalogue.find(ReleaseRef.parse(name)).number for name in ("adclick", "adclick@2", "adclick@latest")
    }
    assert found == {"adclick": 1, "adclick@2": 2, "adclick@latest": 2}
    assert catalogue.folder(catalogue.find(ReleaseRef("adclick", 2))) == tmp_path / "adclick" / "2"


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("adclik@2", r"did you mean adclick@2\?"),
        ("adclik", r"did you mean adclick\?"),
        ("weather", "there are releases of adclick"),
        ("adclick@9", "there is adclick@2, adclick@1"),
        ("adclick", "make one with `mainspring promote adclick@2`"),
    ],
)
def test_an_unknown_one_is_told_the_nearest(records: SqlRecords, tmp_path: Path, name: str, cure: str) -> None:
    for number in (1, 2):
        records.put_release(a_release(number))
    with pytest.raises(UnknownRelease, match=f"there is no release .*; {cure}"):
        Catalogue(records, tmp_path).find(ReleaseRef.parse(name))


def test_an_empty_workspace(records: SqlRecords, tmp_path: Path) -> None:
    with pytest.raises(
        UnknownRelease, match="there is no release adclick@champion; make one with `mainspring run`"
    ):
        Catalogue(records, tmp_path).find(ReleaseRef.parse("adclick"))


def test_the_manifest_is_the_registered_one(records: SqlRecords, tmp_path: Path) -> None:
    content = encode_manifest(a_manifest())
    record: ReleaseRecord = replace(a_release(7), digest=digest_bytes(content))
    catalogue = Catalogue(records, tmp_path)
    with pytest.raises(TamperedRelease, match=r"'manifest.json' of adclick@7 is absent"):
        catalogue.manifest(record)
    folder = catalogue.folder(record)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(content)
    assert catalogue.manifest(record) == a_manifest()
    (folder / "manifest.json").write_bytes(content.replace(b"0.91", b"0.99"))
    with pytest.raises(TamperedRelease, match="not the one that was registered"):
        catalogue.manifest(record)
