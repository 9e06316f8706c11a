"""What workers and their parent say to each other over the socket between them, one line of JSON each.

The parent sends the orders first, then an empty line whenever the routing table has changed; its end of the
stream means: finish what you took, and go. A worker reports once a second, and after each change.
"""

import msgspec

from mainspring.serving.table import Refusal

TABLE_CHANGED = b"\n"


class Report(msgspec.Struct, frozen=True):
    """What a worker says of itself.

    Attributes:
        generation: of the routes by which it answers.
        behind: the models for which it answers by older ones, since a release of theirs was refused.
        ready: whether every routed model is warm.
        refused: the promoted releases that it does not serve.
    """

    generation: int
    ready: bool
    refused: tuple[Refusal, ...] = ()
    behind: dict[str, int] = {}


def encode_report(report: Report) -> bytes:
    return msgspec.json.encode(report) + b"\n"


def decode_report(line: bytes) -> Report:
    return msgspec.json.decode(line, type=Report)
