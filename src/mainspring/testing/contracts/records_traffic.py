"""The law of `ports.Records` on how a model's traffic is shared; part of `RecordsContract`."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mainspring.domain.ports import Records
from mainspring.domain.release import Alias, ReleaseRecord, RuntimeKind
from mainspring.domain.routing import Arm, Share, Traffic
from mainspring.domain.verdict import Estimate
from mainspring.errors import UnknownRelease, UsageError, WorkspaceBusy

NOON = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
CHAMPION, CHALLENGER = Alias.CHAMPION, Alias.CHALLENGER


def a_release(number: int, model: str = "adclick", digest: str | None = None) -> ReleaseRecord:
    return ReleaseRecord(
        model=model,
        number=number,
        run_id=f"r{number}",
        digest=digest or f"digest{number}",
        place=f"{model}/{number}",
        created_at=NOON + timedelta(minutes=number),
        runtime=RuntimeKind.ONNX,
        metrics={"roc_auc": Estimate(0.9, 0.88, 0.92, 1000), "f1": Estimate(None, None, None, 0)},
    )


class TrafficContract:
    """Needs the fixtures of `RecordsContract`."""

    def test_rules_of_traffic_are_part_of_the_routes(
        self, records: Records, open_records: Callable[[], Records]
    ) -> None:
        for number in (1, 2, 3, 4):
            records.put_release(a_release(number))
        records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        rules = Traffic(
            canary=Share(2, 0.1),
            arms=(Arm("blue", 3, 1 / 3), Arm("grey", 1, 1 / 3)),
            shadows=(Share(4, 1.0),),
            arms_end=NOON + timedelta(days=14),
        )
        assert records.set_traffic("adclick", rules, actor="ana", reason="try") == 2
        assert records.set_traffic("adclick", rules, actor="ana", reason="again") == 2
        route = open_records().routes().of("adclick")
        assert route is not None
        assert route.traffic == rules
        grown = dataclasses.replace(rules, canary=Share(2, 0.2))
        assert records.set_traffic("adclick", grown, actor="ana", reason="more") == 3
        assert records.set_traffic("adclick", Traffic(), actor="ana", reason="enough", instead_of=grown) == 4
        assert records.routes().of("adclick") == dataclasses.replace(route, traffic=Traffic())
        told = records.audit(limit=3)
        assert [(a["alias"], a["before"], a["after"], a["reason"], a["generation"]) for a in told] == [
            ("traffic", None, None, "enough", 4),
            ("traffic", None, None, "more", 3),
            ("traffic", None, None, "try", 2),
        ]
        assert told[1]["detail"]["before"]["canary"] == {"number": 2, "share": 0.1}
        assert told[1]["detail"]["after"]["canary"] == {"number": 2, "share": 0.2}
        assert records.audit()[-1]["detail"] is None

    def test_rules_that_somebody_else_has_changed_stand(self, records: Records) -> None:
        for number in (1, 2):
            records.put_release(a_release(number))
        records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        ours, theirs = Traffic(canary=Share(2, 0.1)), Traffic(canary=Share(2, 0.2))
        assert records.set_traffic("adclick", ours, actor="ana", reason="try", instead_of=Traffic()) == 2
        records.set_traffic("adclick", theirs, actor="bo", reason="more")
        for wanted in (Traffic(), theirs):
            with pytest.raises(WorkspaceBusy, match=r"traffic of adclick was changed meanwhile.*try again"):
                records.set_traffic("adclick", wanted, actor="ana", reason="enough", instead_of=ours)
        route = records.routes().of("adclick")
        assert route is not None
        assert (route.traffic, records.routes().generation) == (theirs, 3)

    def test_rules_of_traffic_need_a_champion_and_releases_that_are_there(self, records: Records) -> None:
        records.put_release(a_release(1))
        with pytest.raises(UsageError, match=r"adclick has no champion.*promote"):
            records.set_traffic("adclick", Traffic(canary=Share(1, 0.5)), actor="ana", reason="early")
        assert records.set_traffic("nosuch", Traffic(), actor="ana", reason="nothing to clear") == 0
        records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        for rules in (Traffic(canary=Share(1, 0.5)), Traffic(shadows=(Share(1, 0.5),))):
            with pytest.raises(UsageError, match="adclick@1 is the champion"):
                records.set_traffic("adclick", rules, actor="ana", reason="itself")
        for rules in (
            Traffic(canary=Share(9, 0.5)),
            Traffic(arms=(Arm("a", 9, 0.5),)),
            Traffic(shadows=(Share(9, 0.5),)),
        ):
            with pytest.raises(UnknownRelease, match="adclick@9"):
                records.set_traffic("adclick", rules, actor="ana", reason="typo")
        assert (records.routes().generation, len(records.audit())) == (1, 1)

    def test_a_new_champion_ends_what_made_no_sense_any_more(self, records: Records) -> None:
        for number in (1, 2, 3, 4):
            records.put_release(a_release(number))
        records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="first")
        records.set_traffic(
            "adclick", Traffic(canary=Share(2, 0.1), shadows=(Share(3, 1.0),)), actor="ana", reason="try"
        )
        assert records.set_alias("adclick", CHAMPION, 2, actor="ana", reason="better") == 3
        route = records.routes().of("adclick")
        assert route is not None
        assert route.traffic == Traffic(shadows=(Share(3, 1.0),))
        assert [(a["alias"], a["reason"], a["generation"]) for a in records.audit(limit=2)] == [
            ("traffic", "better", 3),
            ("champion", "better", 3),
        ]
        assert records.set_alias("adclick", CHAMPION, 1, actor="ana", reason="rolled back") == 4
        assert len(records.audit()) == 5, "the rules that are left say nothing of release 1"
        records.set_alias("adclick", CHAMPION, None, actor="ana", reason="broken")
        records.set_alias("adclick", CHAMPION, 3, actor="ana", reason="mended")
        route = records.routes().of("adclick")
        assert route is not None
        assert route.traffic == Traffic()

    # Workers
