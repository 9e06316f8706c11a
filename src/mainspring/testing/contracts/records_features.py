"""What `ports.Records` owes to feature views; part of `RecordsContract`."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

from mainspring.domain.materialised import MaterialisationState, Materialised
from mainspring.domain.ports import Records
from mainspring.testing.contracts.records_traffic import NOON


def a_materialised(view_id: str = "ads-1", view: str = "ads", minutes: int = 0) -> Materialised:
    return Materialised(
        id=view_id,
        view=view,
        state=MaterialisationState.RUNNING,
        started_at=NOON + timedelta(minutes=minutes),
        trouble="naïve “x”",
    )


class FeaturesContract:
    """Needs the fixtures of `RecordsContract`."""

    def test_how_far_a_view_is_reads_back_and_is_replaced(
        self, records: Records, open_records: Callable[[], Records]
    ) -> None:
        assert records.feature_views() == []
        records.put_feature_view(a_materialised())
        assert open_records().feature_views() == [a_materialised()]
        done = dataclasses.replace(
            a_materialised(),
            state=MaterialisationState.DONE,
            ended_at=NOON,
            until=NOON,
            newest_event=NOON - timedelta(microseconds=1),
            keys=3,
            read=7,
            written=2,
            removed=1,
            snapshot="a" * 64,
            freshness="1h",
            trouble="",
        )
        for _ in range(2):
            records.put_feature_view(done)
        assert open_records().feature_views("ads") == [done]

    def test_definitions_come_by_view_the_newest_first_and_are_forgotten(self, records: Records) -> None:
        for view_id, view, minutes in (("b-1", "b", 0), ("a-1", "a", 1), ("b-2", "b", 2)):
            records.put_feature_view(a_materialised(view_id, view, minutes))
        assert [one.id for one in records.feature_views()] == ["a-1", "b-2", "b-1"]
        assert [one.id for one in records.feature_views("b")] == ["b-2", "b-1"]
        assert records.feature_views("c") == []
        for _ in range(2):
            records.forget_feature_view("b-1")
        assert [one.id for one in records.feature_views()] == ["a-1", "b-2"]
