"""The process of a native runtime: it holds the original estimator and answers over the socket that it is given.

    python -m mainspring.release.runtimes.native_worker DESCRIPTOR

It reads no file of the release itself: the bytes come over the socket, as they were verified.
"""

import os
import socket
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from mainspring.domain.release import InputField
from mainspring.domain.task import Task
from mainspring.errors import MainspringError
from mainspring.release.runtimes import frames
from mainspring.release.runtimes.orphans import end_with_parent


def main(descriptor: int) -> None:
    """Answer until the other end is gone."""
    # What the user's code prints must not mix into anything of the parent's.
    os.dup2(2, 1)
    end_with_parent()
    warnings.simplefilter("ignore")
    channel = socket.socket(fileno=descriptor)
    try:
        start = frames.receive(channel, frames.Start)
        try:
            estimator = _load(start)
        except MainspringError as error:
            frames.send(channel, frames.Answer(problem=error.message, cure=error.cure))
            return
        fields = msgspec.json.decode(start.fields, type=tuple[InputField, ...])
        frames.send(channel, frames.Answer())
        while True:
            question = frames.receive(channel, frames.Ask)
            frames.send(channel, _answer(question, estimator, fields, Task(start.task), start.classes))
    except (EOFError, ConnectionError, KeyboardInterrupt):
        return


def _load(start: frames.Start) -> Any:
    from mainspring.release.estimator_file import read_estimator

    return read_estimator(start.files)


def _answer(
    question: frames.Ask, estimator: Any, fields: Sequence[InputField], task: Task, classes: Sequence[str]
) -> frames.Answer:
    from mainspring.data.estimator_frame import estimator_frame_of_columns
    from mainspring.release.original import outputs_of

    columns = {
        name: np.frombuffer(values) if isinstance(values, bytes) else values
        for name, values in question.columns.items()
    }
    try:
        outputs = outputs_of(estimator, estimator_frame_of_columns(columns, fields), task, classes)
    except MainspringError as error:
        return frames.Answer(problem=error.message, cure=error.cure)
    except MemoryError:
        return frames.Answer(problem="the rows do not fit into memory", cure="send fewer rows at once")
    return frames.Answer(np.ascontiguousarray(outputs).tobytes(), outputs.shape[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))
