"""The sections `[[score]]`: score jobs by schedule."""

from collections.abc import Sequence
from typing import Any

from mainspring.domain.scheduled_score import ScheduledScore
from mainspring.errors import DeclarationError, UsageError
from mainspring.settings_sections import Sections

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
    sections = Sections(file, "score", "job")
    jobs = tuple(_job(sections, key, given) for key, given in sections.of(found))
    _check_names(sections, [job.name for job in jobs])
    return jobs


def _job(sections: Sections, key: str, given: dict[str, Any]) -> ScheduledScore:
    for name, value in given.items():
        sections.check_known(key, name, _KINDS)
        texts = not isinstance(value, list) or all(isinstance(one, str) for one in value)
        if not isinstance(value, _KINDS[name]) or not texts:
            raise sections.wrong(f"{key}.{name} = {value!r} is of the wrong kind", _cure(name), key)
    missing = [name for name in _KINDS if name not in given and name not in _OPTIONAL]
    if missing:
        raise sections.wrong(f"{key} has no {missing[0]}", _cure(missing[0]), key)
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
        raise sections.wrong(f"{key}: {error.message}", error.cure, key) from error


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


def _check_names(sections: Sections, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise sections.wrong(f"there are two score jobs {name!r}", "give each a name of its own", "score")
