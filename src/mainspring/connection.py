"""`mainspring.connect(project)`: a project from a notebook, data frames in and data frames out."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import polars as pl

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
    from mainspring.project import open_project
    from mainspring.workspace import Workspace

    return Connection(Workspace(open_project(Path(project), os.environ).settings))


class Connection:
    """One project's releases and predictions. Close it, or use it in a `with`, to end what it opened."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._open: dict[str, OpenRelease] = {}  # by the digest of the manifest

    def predict(self, frame: Any, model: str | None = None) -> Any:
        """The answers to the rows of a frame, in their order, as the gateway would give them; none is logged.

        Args:
            frame: of Polars or pandas; columns that the release does not know are ignored.
            model: `adult`, `adult@3` or `adult@champion`; not needed where there is one model.

        Returns:
            A frame of the same library: the release's key where the frame has it, `prediction`, and of a
            classifier `probability_<class>` columns. A pandas frame keeps its index.

        Raises:
            UnknownRelease: there is none of that name.
            SourceFormatError: a column is not there.
            InvalidInput: a value that does not fit; row (from 0) and field are named.
            TamperedRelease, GoldenMismatch: the release is not what was sealed.
        """
        import polars as pl

        from mainspring.batch.frame import score_frame

        release = self._release(model)
        if isinstance(frame, pl.DataFrame):
            return score_frame(frame, release.manifest, release.runtime)
        wanted = {field.name for field in release.manifest.inputs} | {release.manifest.key}
        known = frame[[name for name in frame.columns if name in wanted]]
        found = score_frame(pl.from_pandas(known), release.manifest, release.runtime)
        answers = found.to_pandas()
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

        Args: see `mainspring.data.predictions.predictions`.

        Returns:
            The prediction log's columns, `label`, `label_value`, `label_happened_at`, `label_at`, `label_delay`,
            and `outcome_<name>` for each business outcome.
        """
        from mainspring.data.predictions import predictions

        found = predictions(
            self._workspace.tables,
            self._model(model),
            since=since,
            until=until,
            as_of=as_of,
            release=release,
            role=role,
        )
        return found.sort("at", "id", "release").collect()

    def releases(self, model: str | None = None) -> pl.DataFrame:
        """The releases, newest first, with their metrics on the holdout in `metric_<name>` columns."""
        import polars as pl

        records = self._workspace.records.releases(model)
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

    def _model(self, given: str | None) -> str:
        from mainspring.errors import UnknownRelease, UsageError

        if given is not None:
            return given
        models = sorted({record.model for record in self._workspace.records.releases()})
        if not models:
            raise UnknownRelease("there is no release yet", cure="make one with: mainspring run")
        if len(models) > 1:
            raise UsageError(f"there are several models: {', '.join(models)}", cure="name one")
        return models[0]

    def _release(self, model: str | None) -> OpenRelease:
        from mainspring.domain.release import ReleaseRef

        record = self._workspace.catalogue.find(ReleaseRef.parse(self._model(model)))
        opened = self._open.get(record.digest)
        if opened is None:
            opened = self._open[record.digest] = self._workspace.open_release(record)
        return opened
