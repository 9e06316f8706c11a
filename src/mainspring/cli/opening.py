"""Opens a release of the workspace for the verbs that answer by it in their own process."""

from typing import TYPE_CHECKING

from mainspring.domain.release import ReleaseRef

if TYPE_CHECKING:
    from mainspring.release.opening import OpenRelease
    from mainspring.workspace import Workspace


def opened(workspace: "Workspace", text: str) -> "OpenRelease":
    """The release that `adult`, `adult@3` or `adult@champion` names, verified as the gateway verifies it.

    Raises:
        UsageError: the text names no release.
        UnknownRelease: there is none of that name.
        TamperedRelease, GoldenMismatch: it is not what was sealed.
    """
    return workspace.open_release(workspace.catalogue.find(ReleaseRef.parse(text)))
