"""How far feature views have come, in the records database."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from mainspring.domain.materialised import Materialised
from mainspring.domain.ports_features import ViewId
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_outbox import as_json
from mainspring.stores.records_rows import moment
from mainspring.stores.records_schema import feature_views


class SqlFeatures:
    """The part of `ports.Records` that concerns feature views; mixed into `SqlRecords`."""

    _engine: Engine

    def put_feature_view(self, found: Materialised) -> None:
        with self._engine.writing() as connection:
            connection.execute(feature_views.delete().where(feature_views.c.id == found.id))
            connection.execute(
                feature_views.insert().values(
                    id=found.id, view=found.view, started_at=moment(found.started_at), body=as_json(found)
                )
            )

    def feature_views(self, view: str | None = None) -> Sequence[Materialised]:
        order = (feature_views.c.view, feature_views.c.started_at.desc(), feature_views.c.id)
        query = sa.select(feature_views.c.body).order_by(*order)
        if view is not None:
            query = query.where(feature_views.c.view == view)
        with self._engine.reading() as connection:
            return [msgspec.json.decode(body, type=Materialised) for body in connection.execute(query).scalars()]

    def forget_feature_view(self, view_id: ViewId) -> None:
        with self._engine.writing() as connection:
            connection.execute(feature_views.delete().where(feature_views.c.id == view_id))
