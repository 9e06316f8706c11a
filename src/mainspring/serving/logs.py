"""What the gateway's processes log: lines for people, or one JSON object a line. Never a body, never a secret.

A line of JSON has `time` (UTC, ISO 8601), `level`, `logger`, `message`, `worker` (absent in the parent), and where
it belongs to a request `request_id` and `trace_id`; further fields as each message has them.
"""

import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TextIO

import msgspec

from mainspring.serving.exchange import Request, Response

ANSWERING: ContextVar[Request | None] = ContextVar("the request being answered", default=None)
_LONGEST = 16_384  # characters of a message
_LONGEST_PATH = 200
_ANSWERS = logging.getLogger("mainspring.answers")
_ENCODER = msgspec.json.Encoder(enc_hook=str)


def log_to(stream: TextIO, *, as_json: bool, worker: int | str | None = None, who: str = "gateway") -> None:
    """Let everything that is logged in this process go to the stream.

    Args:
        worker: the worker's slot; `None` for the parent.
        who: logs, as people read it.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(worker) if as_json else TextLines(worker, who))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


def is_json(log_format: str, stream: TextIO = sys.stderr) -> bool:
    """Whether this setting means JSON: `auto` does where no person reads along.

    Examples:
        >>> is_json("json"), is_json("text")
        (True, False)
    """
    return log_format == "json" or (log_format == "auto" and not stream.isatty())


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, worker: int | str | None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
            **self._worker,
        }
        request = ANSWERING.get()
        if request is not None:
            line["request_id"] = request.id
            if request.trace is not None:
                line["trace_id"] = request.trace.trace_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-_LONGEST:]
        # A lone surrogate (of a path that is no UTF-8) is no JSON text.
        return _ENCODER.encode(_sane(line)).decode()


class TextLines(logging.Formatter):
    """For people; nothing that a request holds can begin a line or command the terminal."""

    def __init__(self, worker: int | str | None, who: str = "gateway") -> None:
        super().__init__()
        self._who = who if worker is None else f"{who} worker {worker}"

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(sep=" ", timespec="milliseconds")
        fields = getattr(record, "fields", {})
        told = "".join(f" {name}={value}" for name, value in fields.items())
        message = _printable(record.getMessage()[:_LONGEST] + told)
        line = f"{time.removesuffix('+00:00')}Z {record.levelname} {self._who}: {message}"
        return f"{line}\n{self.formatException(record.exc_info)[-_LONGEST:]}" if record.exc_info else line


class AnswerLog:
    """One line for an answer, of at most so many answers a second; what is left out is counted in the next line.

    Args:
        per_second: how many.
    """

    def __init__(self, per_second: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._second = 0.0
        self._told = 0
        self._left_out = 0

    def answered(self, request: Request, response: Response, seconds: float) -> None:
        now = self._clock()
        if now - self._second >= 1.0:
            self._second, self._told = now, 0
        if self._told >= self._per_second:
            self._left_out += 1
            return
        self._told += 1
        fields: dict[str, Any] = {
            "method": request.method,
            "path": request.path[:_LONGEST_PATH],
            "status": response.status,
            "milliseconds": round(seconds * 1e3, 3),
        }
        optional = {
            "release": response.release,
            "key": request.grant.name,
            "left_out": self._left_out,
        }
        self._left_out = 0
        _ANSWERS.info("answered", extra={"fields": fields | {k: v for k, v in optional.items() if v}})


def place_of(error: BaseException) -> str:
    """The kind of an exception and the lines it came through, without what it says.

    Examples:
        >>> try:
        ...     int("secret")
        ... except ValueError as error:
        ...     place_of(error).startswith("ValueError at ")
        True
    """
    frames = traceback.extract_tb(error.__traceback__)[-20:]
    places = (f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in reversed(frames))  # noqa: PTH119
    return f"{type(error).__name__} at {' < '.join(places)}"


def _sane(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return {name: _sane(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
