"""The sections `[[score]]`: score jobs by schedule."""

import difflib
from collections.abc import Sequence
from typing import Any

from mainspring.domain.scheduled_score import ScheduledScore
from mainspring.errors import DeclarationError, SettingsError, UsageError

_KINDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "model": str,
    "input": (str, list),
    "output": str,
    "schedule": str,
    "keep_columns": bool,
}
_OPTIONAL = ("keep_columns",)


def read_scores(found: Any, file: str) -> tuple[ScheduledScore, ...]:
    """The jobs from the document's entry.

    Args:
        file: the name of the settings' file, for errors.

    Raises:
        SettingsError: an entry is unknown, missing or makes no sense, or a name comes twice.
    """
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SettingsError(
            f"{file}: score is no list of jobs",
            cure="begin each job with [[score]] on a line of its own",
            where={"file": file, "key": "score"},
        )
    jobs = tuple(_job(one, place, file) for place, one in enumerate(found, 1))
    _check_names([job.name for job in jobs], file)
    return jobs


def _job(given: dict[str, Any], place: int, file: str) -> ScheduledScore:
    key = f"score[{place}]"
    for name, value in given.items():
        if name not in _KINDS:
            near = difflib.get_close_matches(name, _KINDS, 1)
            cure = f"did you mean {near[0]}?" if near else f"use {', '.join(_KINDS)}"
            raise _wrong(f"{key} has the unknown entry {name}", cure, file, key)
        texts = not isinstance(value, list) or all(isinstance(one, str) for one in value)
        if not isinstance(value, _KINDS[name]) or not texts:
            raise _wrong(f"{key}.{name} = {value!r} is of the wrong kind", _cure(name), file, key)
    missing = [name for name in _KINDS if name not in given and name not in _OPTIONAL]
    if missing:
        raise _wrong(f"{key} has no {missing[0]}", _cure(missing[0]), file, key)
    inputs = given["input"]
    try:
        return ScheduledScore(
            name=given["name"],
            model=given["model"],
            inputs=(inputs,) if isinstance(inputs, str) else tuple(inputs),
            output=given["output"],
            schedule=given["schedule"],
            keep_columns=given.get("keep_columns", False),
        )
    except (DeclarationError, UsageError) as error:
        raise _wrong(f"{key}: {error.message}", error.cure, file, key) from error


def _cure(name: str) -> str:
    examples = {
        "name": 'name = "nightly"',
        "model": 'model = "adclick"',
        "input": 'input = "exports/{date}/*.csv"',
        "output": 'output = "scored/{date}.parquet"',
        "schedule": 'schedule = "0 4 * * *"',
        "keep_columns": "keep_columns = true",
    }
    return f"write e.g. {examples[name]}"


def _check_names(names: Sequence[str], file: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _wrong(f"there are two score jobs {name!r}", "give each a name of its own", file, "score")


def _wrong(message: str, cure: str, file: str, key: str) -> SettingsError:
    return SettingsError(f"{file}: {message}", cure=cure, where={"file": file, "key": key})
