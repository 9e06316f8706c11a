"""Starts a gateway as the command line does, for tests: `python gateway_process.py OPTIONS.json`."""

import json
import sys
from functools import cache
from pathlib import Path

from mainspring.clock import SYSTEM_CLOCK
from mainspring.errors import MainspringError
from mainspring.serving.gateway import run_gateway
from mainspring.serving.gateway_records import RecordsAfterFirstLook
from mainspring.serving.logs import log_to
from mainspring.serving.options import GatewayOptions
from mainspring.settings import GatewaySettings, LogSettings
from mainspring.stores.records import SqlRecords
from mainspring.stores.records_first_look import first_look


def main() -> int:
    given = json.loads(Path(sys.argv[1]).read_text())
    log_to(sys.stderr, as_json=given["settings"].get("log_format") == "json")
    root = Path(given["root"])
    options = GatewayOptions(
        settings=GatewaySettings(**given["settings"]),
        releases=root / "releases",
        trusted=root / "keys" / "trusted",
        folder=root / "gateway",
        tables=str(root / "tables"),
        features=given.get("features") or f"sqlite:///{root / 'features.db'}",
        log=LogSettings(**given["log"]),
    )
    url = f"sqlite:///{root / 'records.db'}"
    opened = cache(lambda: SqlRecords(url))
    records = RecordsAfterFirstLook(first_look(url), opened, SYSTEM_CLOCK)
    try:
        run_gateway(options, records, SYSTEM_CLOCK, announce=lambda address: print(address, flush=True))
    except MainspringError as error:
        print(f"error: {error}", flush=True)
        return error.exit_code
    finally:
        opened().close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
