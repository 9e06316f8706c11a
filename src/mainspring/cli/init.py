"""`mainspring init`: from data to a project that runs, with a comment on every guess."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.output import Output
from mainspring.cli.session import Session
from mainspring.domain.model import Model
from mainspring.domain.source import Source
from mainspring.domain.task import Task
from mainspring.errors import DeclarationError, MainspringError, UsageError

if TYPE_CHECKING:
    from mainspring.cli.init_templates import Plan
    from mainspring.data.inference import Inference


def init(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the project goes.")] = Path(),
    data: Annotated[
        list[str], typer.Option(metavar="FILE…", help="The data: files, globs, a Delta table, a database URL.")
    ] = [],  # noqa: B006 - read only
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column to predict.")] = None,
    key: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that names a row.")] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column that says when a row happened.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="binary, multiclass or regression; found out if not given.")
    ] = None,
    query: Annotated[
        str | None, typer.Option(metavar="SQL", help="The query, where the data is a database URL.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files of an earlier init.")] = False,
) -> None:
    """Make a project from data.

    It writes mainspring.toml, model.py and schema.toml, with a comment on every guess.

    Without --target it lists the columns that could be one, and stops.
    """
    output = session.output
    if not data:
        raise UsageError("init needs data", cure="name a file: mainspring init DIR --data FILE --target COLUMN")
    chosen_task = _task(task)
    if target is not None:
        _refuse_to_overwrite(folder, force)

    from mainspring.data.inference import infer

    given = Source(data[0] if len(data) == 1 else tuple(data), query=query)
    found = infer(given, Path(), target=target, key=key, time=time, task=chosen_task, environ=session.environ)
    if found.target is None:
        _list_targets(output, found)
        raise typer.Exit(UsageError.exit_code)
    plan = _plan(found, _model_name(name, folder, data), folder, session.environ)
    written = _write(folder, plan, found)
    _tell(output, folder, plan, found, written)


def _task(text: str | None) -> Task | None:
    if text is not None and text not in list(Task):
        raise UsageError(f"--task {text} is not known", cure=f"use one of: {', '.join(Task)}")
    return None if text is None else Task(text)


def _refuse_to_overwrite(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", cure="name a folder", where={"folder": str(folder)})
    there = [file for file in ("mainspring.toml", "model.py", "schema.toml") if (folder / file).exists()]
    if there and not force:
        raise UsageError(
            f"{folder} holds a project already: {', '.join(there)}",
            cure="choose another folder, or overwrite these files with --force",
            where={"folder": str(folder)},
        )


def _model_name(name: str | None, folder: Path, data: Sequence[str]) -> str:
    if name is not None:
        try:
            return Model(name, Source("any"), "any").name  # the declaration judges it
        except DeclarationError as error:
            raise UsageError(f"--name {name!r} is no good name", cure=error.cure) from error
    for text in (folder.resolve().name, Path(data[0].rpartition("://")[2]).name.partition(".")[0]):
        slug = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")
        if slug and slug[0].isalpha() and slug.isascii():
            return slug[:63]
    return "model"


def _list_targets(output: Output, found: "Inference") -> None:
    candidates = [{"column": column, "why": why} for column, why in found.target_candidates]
    output.document(
        {
            **UsageError("init needs a target", cure="name one of the candidates with --target").to_dict(),
            "exit_code": UsageError.exit_code,
            "target_candidates": candidates,
        }
    )
    output.table(["column", "why it could be the target"], found.target_candidates, title="Which one to predict?")
    output.line("Say which with --target COLUMN; nothing was written.")


def _plan(found: "Inference", name: str, folder: Path, environ: Mapping[str, str]) -> "Plan":
    from mainspring.cli.init_plan import make_plan

    plan = make_plan(found, name, environ)
    source = found.source
    located = tuple(_from(folder, location) for location in source.locations)
    location = located if not isinstance(source.location, str) else located[0]
    return replace(plan, source=replace(source, location=location))


def _from(folder: Path, location: str) -> str:
    """The location as the project's folder sees it; absolute paths and URLs stay."""
    if "://" in location or Path(location).is_absolute():
        return location
    # Only real paths: with a link in between, `..` would not lead back.
    place = Path(os.path.realpath(Path(location).parent), Path(location).name)
    return Path(os.path.relpath(place, os.path.realpath(folder))).as_posix()


def _write(folder: Path, plan: "Plan", found: "Inference") -> list[str]:
    from mainspring.cli.init_templates import GITIGNORE, model_file, settings_file
    from mainspring.data.schema_file import format_schema
    from mainspring.stores.atomic import write_atomic

    code = model_file(plan)
    compile(code, "model.py", "exec")  # no name in the data, however odd, may break the file
    texts = {
        "mainspring.toml": settings_file(plan.name),
        "model.py": code,
        "schema.toml": format_schema(found.schema, found.reasons),
    }
    if not (folder / ".gitignore").exists():
        texts[".gitignore"] = GITIGNORE
    existed = folder.exists()
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            if not (folder / file).exists():
                made.append(folder / file)
            write_atomic(folder / file, text.encode())
    except (OSError, MainspringError) as error:
        for path in made:  # no half project is left behind
            path.unlink(missing_ok=True)
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if isinstance(error, OSError):
            raise UsageError(
                f"{folder} cannot be written: {error.strerror}",
                cure="choose a folder that you may write to",
                where={"folder": str(folder)},
            ) from error
        raise
    return list(texts)


def _tell(output: Output, folder: Path, plan: "Plan", found: "Inference", written: list[str]) -> None:
    features = set(found.features)
    roles = {found.target: "target", found.source.key: "key", found.source.time: "time"}
    why_not = {name: why for name, why in found.left_out.items() if name not in roles}
    columns = [
        {
            "name": column.name,
            "kind": str(column.kind),
            "role": roles.get(column.name) or ("feature" if column.name in features else "left out"),
            "why": "; ".join(
                dict.fromkeys(
                    text for text in (found.reasons.get(column.name, ""), why_not.get(column.name, "")) if text
                )
            ),
        }
        for column in found.schema
    ]
    output.document(
        {
            "project": str(folder),
            "files": written,
            "model": plan.name,
            "rows": found.rows,
            "target": found.target,
            "task": plan.task,
            "task_reason": found.task_reason,
            "positive": plan.positive,
            "key": found.source.key,
            "key_reason": found.key_reason,
            "time": found.source.time,
            "time_reason": found.time_reason,
            "features": list(found.features),
            "columns": columns,
        }
    )
    output.table(
        ["column", "kind", "role", "why"],
        [[c["name"], c["kind"], c["role"], c["why"]] for c in columns],
        title=f"{plan.data}: {found.rows:,} rows, {len(columns)} columns",
    )
    output.line(f"task    {plan.task}: {found.task_reason}")
    if plan.target_note:
        output.line(f"target  {plan.target_note}")
    output.line(f"key     {found.source.key or 'none'}: {found.key_reason}")
    output.line(f"time    {found.source.time or 'none'}: {found.time_reason}")
    place = "" if folder == Path() else f"cd {folder} && "
    output.line(f"\nWrote {', '.join(written)} in {folder}. Look at model.py, then: {place}mainspring run")
