"""The rows that a model learns from: its source's, with the features of views as of each row's time, and with what
functions make of both.

A run, a refit, a comparison and a simulation make them by this one code. Answers that came back with their truth
keep the features that they were answered with: these are what the model will be asked with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from mainspring.domain.schema import Column, Kind, Schema
from mainspring.loop.lifecycle.resolution import ResolvedModel, resolve
from mainspring.project import Project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.release import FunctionInput, Manifest, ViewInput
    from mainspring.features.definition import Definition
    from mainspring.features.request_time import RequestFunctions
    from mainspring.features.rows import Offline, Taken


class ModelRows:
    """How the rows of a project's model are made.

    Args:
        taken: of each view which of its rows are read, as `taken_now` told it; as they are now where not given.
    """

    def __init__(
        self, workspace: Workspace, project: Project, taken: Mapping[str, Mapping[str, str | None]] | None = None
    ) -> None:
        self._workspace = workspace
        self._project = project
        self._given = taken

    @cached_property
    def source_schema(self) -> Schema:
        """Of the model's source."""
        from mainspring.data.schema_file import read_schema

        return read_schema(self._project.schema_path)

    @cached_property
    def resolved(self) -> ResolvedModel:
        return resolve(self._project.model, self.source_schema)

    @cached_property
    def offline(self) -> Offline:
        return self._workspace.offline(self._project)

    @cached_property
    def taken(self) -> dict[str, Taken]:
        """Which rows of each view are read."""
        if not self._project.model.views:
            return {}
        from mainspring.features.rows import Taken

        if self._given is not None:
            return {name: Taken.from_dict(told) for name, told in self._given.items()}
        return {view.name: self.offline.take(view) for view in self._project.model.views}

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """The model's views, resolved against their rows."""
        views = self._project.model.views
        return {view.name: self.offline.definition(view, self.taken[view.name]) for view in views}

    @cached_property
    def logged_schema(self) -> Schema:
        """The source's columns, and the features of views: what the log of an answer may tell of a row."""
        from mainspring.loop.lifecycle.view_inputs import feature_column

        columns = [
            feature_column(self.offline, self.definitions[ref.view.name], ref)
            for ref in self._project.model.view_features
        ]
        return Schema((*self.source_schema, *columns)) if columns else self.source_schema

    @cached_property
    def schema(self) -> Schema:
        """All columns of the rows."""
        computed = tuple(Column(name, Kind.NUMBER) for name in self.resolved.computed)
        return Schema((*self.logged_schema, *computed)) if computed else self.logged_schema

    @cached_property
    def view_inputs(self) -> tuple[ViewInput, ...]:
        """What a release needs to know of the views."""
        from mainspring.loop.lifecycle.view_inputs import view_input

        return tuple(
            view_input(self.offline, self.definitions[view.name], view, self._project.model, self.source_schema)
            for view in self._project.model.views
        )

    @cached_property
    def function_inputs(self) -> tuple[FunctionInput, ...]:
        """What a release needs to know of the functions of requests."""
        from mainspring.domain.release import FunctionInput

        return tuple(
            FunctionInput(one.name, tuple(one.inputs), tuple(one.outputs))
            for one in self._project.model.request_features
        )

    def read(self, snapshots: Sequence[str]) -> pl.DataFrame:
        """The rows of the source's snapshot, and of that of labelled answers where there is one.

        Raises:
            UnknownSnapshot: there is none of such an id.
            DataError: a view's key is of another type than the source's, or a view's rows cannot be read.
            FeatureError: a function of the user's failed.
        """
        from mainspring.data.labelled_rows import read_rows

        key = self._project.model.source.key
        return self.with_computed(read_rows(self._workspace.snapshots, snapshots, key, self.with_view_features))

    def with_view_features(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the features of views as of each row's time."""
        refs, time = self._project.model.view_features, self._project.model.source.time
        if not refs:
            return rows
        from mainspring.features.history import history

        assert time is not None, "the declaration was checked"
        return history(rows, refs, self.offline, time=time, taken=self.taken)

    def for_release(self, manifest: Manifest, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with what another release takes of views and they lack, to be compared with it.

        What the project declares no longer, or otherwise, is left out.
        """
        refs, time = [], self._project.model.source.time
        for view in manifest.views:
            declared = self._project.views.get(view.view)
            lacking = [name for name, column in view.features.items() if column not in rows.columns]
            if declared is None or not lacking:
                continue
            if self.offline.definition(declared, self.taken.get(view.view)).id == view.id:
                refs += [declared[name] for name in lacking]
        if time is None or not refs:
            return rows
        from mainspring.features.history import history

        return history(rows, refs, self.offline, time=time, taken=self.taken)

    def with_computed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with what the functions of requests make of them."""
        if not self.function_inputs:
            return rows
        from mainspring.features.request_time_frames import with_outputs

        return with_outputs(rows, self._functions)

    @cached_property
    def _functions(self) -> RequestFunctions:
        from mainspring.features.request_time import RequestFunctions

        code = self._project.features_code
        assert code is not None, "the project was loaded with its functions"
        return RequestFunctions(code, self.function_inputs, tuple(self.logged_schema))
