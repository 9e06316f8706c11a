"""`mainspring.connect(project)`: a project from a notebook, data frames in and data frames out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mainspring.connection_features import Features
from mainspring.errors import ProjectError, UnknownRelease, UsageError

if TYPE_CHECKING:
    import polars as pl

    from mainspring.project import Project
    from mainspring.release.opening import OpenRelease
    from mainspring.workspace import Workspace


def connect(project: str | Path = ".") -> Connection:
    """Open the project that a folder is in.

    Args:
        project: the project's folder, or one inside it.

    Raises:
        ProjectError: there is no project.
        SettingsError: `mainspring.toml` or the environment is wrong.
    """
    from mainspring.project import find_root, open_project
    from mainspring.workspace import Workspace

    try:
        root = find_root(Path(project))
    except ProjectError as error:
        cure = "give its folder: mainspring.connect(FOLDER); or make one in a shell: mainspring init"
        raise ProjectError(error.message, cure=cure, where=error.where) from None
    found = open_project(root, os.environ)
    return Connection(Workspace(found.settings), found)


class Connection:
    """One project's releases, predictions and features. Close it, or use it in a `with`, to end what it opened."""

    def __init__(self, workspace: Workspace, project: Project) -> None:
        self.features = Features(workspace, project)
        """The feature views: their history, what the online store has of them, and rows that are pushed."""
        self._workspace = workspace
        self._project = project
        self._open: dict[str, OpenRelease] = {}  # by the digest of the manifest

    def predict(self, frame: Any, model: str | None = None) -> Any:
        """The answers to the rows of a frame, in their order, as the gateway would give them; none is logged.

        Features of views may be left out where the frame has their keys. They are those of each row's time where
        the frame has the time column of the model's source, joined as for training; else those of now, from the
        online store, as for a request. A column that is there counts as it is.

        Args:
            frame: of Polars or pandas; columns that the release does not know are ignored. Of rows as dictionaries
                `polars.DataFrame(rows)` makes one.
            model: `adult`, `adult@3` or `adult@champion`; not needed where there is one model.

        Returns:
            A frame of the same library: the release's key where the frame has it, `prediction`, and of a
            classifier `probability_<class>` columns. A pandas frame keeps its index.

        Raises:
            UsageError: this is no frame, or a view is not there as the release takes it.
            UnknownRelease: there is none of that name.
            SourceFormatError: a column is not there, or neither features of a view nor its key.
            InvalidInput: a value that does not fit; row (from 0) and field are named.
            StoreError: the online store does not answer.
            TamperedRelease, GoldenMismatch: the release is not what was sealed.
        """
        import polars as pl

        from mainspring.data.pandas_frames import from_pandas

        _check_frame(frame)
        release = self._release(model)
        if isinstance(frame, pl.DataFrame):
            return self._answers(frame, release)
        manifest = release.manifest
        wanted = {*(field.name for field in manifest.inputs), *manifest.ignored}
        if manifest.views:
            wanted.add(manifest.time or "")
        known = frame[[name for name in frame.columns if name in wanted]]
        answers = self._answers(from_pandas(known), release).to_pandas()
        answers.index = frame.index
        return answers

    def predictions(
        self,
        model: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: datetime | None = None,
        release: int | None = None,
        role: str | None = None,
    ) -> pl.DataFrame:
        """What was answered beside what came true, each prediction once, in the order of the answers.

        Shadows answered under the id of the live answer; they are left out unless asked for by their role.

        Args:
            model: not needed where there is one.
            since, until: of the answers, `since` included and `until` not. Times without a zone are UTC.
            as_of: labels received after this time are not seen, so that the result is what was known then.
            release: the number of one, for what it answered alone.
            role: `champion`, `canary`, `arm`, `pinned` or `shadow`; without it everything but shadows.

        Raises:
            UsageError: an argument of another kind, or no role.
            UnknownRelease: there is no such model, or no such release of it.

        Returns:
            The prediction log's columns, `label`, `label_value`, `label_happened_at`, `label_at`, `label_delay`,
            and `outcome_<name>` for each business outcome.
        """
        from mainspring.data.predictions import predictions

        for name, moment in (("since", since), ("until", until), ("as_of", as_of)):
            _check_time(name, moment)
        _check_role(role)
        found = predictions(
            self._workspace.tables,
            self._known_model(model, release),
            since=since,
            until=until,
            as_of=as_of,
            release=release,
            role=role,
        )
        return found.sort("at", "id", "release").collect()

    def releases(self, model: str | None = None) -> pl.DataFrame:
        """The releases, newest first, with their metrics on the holdout in `metric_<name>` columns.

        Args:
            model: only those of this model.

        Raises:
            UnknownRelease: there is no such model.
        """
        import polars as pl

        records = self._workspace.records.releases(None if model is None else self._known_model(model))
        names = sorted({name for record in records for name in record.metrics})
        rows = [
            {
                "release": str(record.ref),
                "model": record.model,
                "number": record.number,
                "aliases": list(record.aliases),
                "runtime": str(record.runtime),
                "created_at": record.created_at,
                **{f"metric_{name}": record.metrics[name].value for name in record.metrics},
            }
            for record in records
        ]
        schema: dict[str, Any] = {
            "release": pl.String,
            "model": pl.String,
            "number": pl.Int64,
            "aliases": pl.List(pl.String),
            "runtime": pl.String,
            "created_at": pl.Datetime("us", "UTC"),
            **{f"metric_{name}": pl.Float64 for name in names},
        }
        return pl.DataFrame(rows, schema=schema)

    def close(self) -> None:
        """End what was opened."""
        while self._open:
            self._open.popitem()[1].close()
        self._workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(self, frame: pl.DataFrame, release: OpenRelease) -> pl.DataFrame:
        from mainspring.batch.frame import score_frame
        from mainspring.project import SCHEMA_FILE

        return score_frame(
            frame,
            release.manifest,
            release.runtime,
            schema_file=release.folder / "source" / SCHEMA_FILE,
            stores=self._workspace.view_stores(self._project),
        )

    def _model(self, given: str | None) -> str:
        if given is not None:
            if not isinstance(given, str):
                raise UsageError(f"the model is {_kind(given)}, not a text", cure="give its name, e.g. 'shop'")
            return given
        models = sorted({record.model for record in self._workspace.records.releases()})
        if not models:
            raise UnknownRelease("there is no release yet", cure="make one with: mainspring run")
        if len(models) > 1:
            raise UsageError(f"there are several models: {', '.join(models)}", cure="name one")
        return models[0]

    def _known_model(self, given: str | None, release: int | None = None) -> str:
        """The name of a model that has this release, or any."""
        from mainspring.domain.release import ReleaseRef

        name = self._model(given)
        reference = ReleaseRef.parse(name)
        if reference.model != name:
            raise UsageError(
                f"{name!r} names one release, and a model is asked for here",
                cure=f"give {reference.model!r}; predictions() takes the number as release=…",
            )
        if release is not None and (not isinstance(release, int) or isinstance(release, bool)):
            raise UsageError(f"release is {_kind(release)}, not a number", cure="give its number, e.g. release=2")
        if not self._workspace.records.releases(name):
            models = sorted({record.model for record in self._workspace.records.releases()})
            cure = _meant(name, models) or f"there is {', '.join(models[:10]) or 'no release yet'}"
            raise UnknownRelease(f"there is no model {name!r}", cure=cure, where={"model": name})
        if release is not None:
            self._workspace.catalogue.find(ReleaseRef(name, number=release))
        return name

    def _release(self, model: str | None) -> OpenRelease:
        from mainspring.domain.release import ReleaseRef

        record = self._workspace.catalogue.find(ReleaseRef.parse(self._model(model)))
        opened = self._open.get(record.digest)
        if opened is None:
            opened = self._open[record.digest] = self._workspace.open_release(record)
        return opened


def _check_frame(frame: Any) -> None:
    import polars as pl

    cure = "give a frame of Polars or pandas"
    if isinstance(frame, pl.LazyFrame):
        cure = "collect it first: predict(frame.collect())"
    elif isinstance(frame, pl.DataFrame) or (hasattr(frame, "columns") and hasattr(frame, "index")):
        return
    elif isinstance(frame, str):
        cure = f"give the frame first: predict(frame, {frame[:80]!r})"
    elif isinstance(frame, dict):
        cure = "make a frame of the row: predict(polars.DataFrame([row]))"
    elif isinstance(frame, list):
        cure = "make a frame of the rows: predict(polars.DataFrame(rows))"
    raise UsageError(f"predict takes a frame, and this is {_kind(frame)}", cure=cure)


def _check_time(name: str, moment: Any) -> None:
    if moment is not None and not isinstance(moment, datetime):
        raise UsageError(
            f"{name} is {_kind(moment)}, not a datetime",
            cure=f"give e.g. {name}=datetime(2026, 1, 31, tzinfo=UTC)",
        )


def _check_role(role: Any) -> None:
    from mainspring.domain.prediction_log import Role

    roles = [str(known) for known in Role]
    if role is not None and role not in roles:
        cure = _meant(role, roles) or f"give one of {', '.join(roles)}"
        raise UsageError(f"role is {_kind(role)}, no role of an answer", cure=cure)


def _meant(given: Any, known: Sequence[str]) -> str:
    """Which of these was meant, as a question; empty where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(str(given)[:80], known, 1)
    return f"did you mean {near[0]!r}?" if near else ""


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:80]!r}"
    return f"of type {type(value).__name__}"
