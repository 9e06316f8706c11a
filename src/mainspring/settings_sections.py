"""The sections `[[name]]` of a settings file, and the errors of what stands in them."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mainspring.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Sections:
    """All sections of one name.

    Attributes:
        file: the name of the settings' file.
        name: as it stands in the brackets.
        thing: what one of them is, in a word.
    """

    file: str
    name: str
    thing: str

    def of(self, found: Any) -> list[tuple[str, dict[str, Any]]]:
        """Each section of the document's entry, with how errors name it.

        Raises:
            SettingsError: the entry is no list of sections.
        """
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.wrong(
                f"{self.name} is no list of {self.thing}s",
                f"begin each {self.thing} with [[{self.name}]] on a line of its own",
                self.name,
            )
        return [(f"{self.name}[{place}]", one) for place, one in enumerate(found, 1)]

    def check_known(self, key: str, entry: str, known: Collection[str]) -> None:
        """Raises `SettingsError` where sections have no such entry."""
        if entry not in known:
            near = difflib.get_close_matches(entry, known, 1)
            cure = f"did you mean {near[0]}?" if near else f"use {', '.join(known)}"
            raise self.wrong(f"{key} has the unknown entry {entry}", cure, key)

    def wrong(self, message: str, cure: str, key: str) -> SettingsError:
        """The error about a section."""
        return SettingsError(f"{self.file}: {message}", cure=cure, where={"file": self.file, "key": key})
