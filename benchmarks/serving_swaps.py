"""Promotes and rolls back, over and over: `python serving_swaps.py PROJECT PROMOTIONS ROLLBACKS OUT`.

Ten changes one right after the other, then a pause, so that seconds with a change can be told from those
without. OUT gets when each change began and ended (seconds of the system's monotonic clock).
"""

import json
import sys
import time
from pathlib import Path

from mainspring.domain.release import ReleaseRef
from mainspring.loop.rollout.promotion import make_champion
from mainspring.loop.rollout.rollback_target import ROLLED_BACK, champions_before
from mainspring.settings import load_settings
from mainspring.workspace import Workspace
from serving_peers import MODEL

_BURST = 10
_LEAST_PAUSE = 2.0


def main() -> None:
    project, promotions, rollbacks, out = sys.argv[1:]
    total = int(promotions) + int(rollbacks)
    every = total // int(rollbacks) if int(rollbacks) else total + 1
    changes = []
    with Workspace(load_settings(Path(project), {})) as workspace:
        records = workspace.records
        numbers = sorted(record.number for record in records.releases(MODEL))[:2]
        time.sleep(_LEAST_PAUSE)
        burst = time.monotonic()
        for count in range(1, total + 1):
            champion = records.find_release(ReleaseRef(MODEL, alias="champion"))
            rollback = count % every == 0
            if rollback:
                number, reason = champions_before(records.audit(MODEL, limit=20))[0], f"{ROLLED_BACK}: measured"
            else:
                number, reason = next(one for one in numbers if one != champion.number), "measured"
            record = records.find_release(ReleaseRef(MODEL, number=number))
            begin = time.monotonic()
            _, acknowledged = make_champion(
                records, record, actor="benchmark", reason=reason, clock=workspace.clock, wait_seconds=30
            )
            end = time.monotonic()
            changes.append({"begin": begin, "end": end, "rollback": rollback, "acknowledged": acknowledged})
            if count % _BURST == 0:
                time.sleep(max(_LEAST_PAUSE, (end - burst) / 2))
                burst = time.monotonic()
    Path(out).write_text(json.dumps(changes), encoding="utf-8")


if __name__ == "__main__":
    main()
