"""The drift report of Evidently, as its guide writes it.

`python evidently_report.py REFERENCE.parquet CURRENT.parquet PAGE.html`
"""

import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def main(reference: str, current: str, page: str) -> None:
    report = Report([DataDriftPreset()])
    snapshot = report.run(pd.read_parquet(current), pd.read_parquet(reference))
    snapshot.save_html(page)


if __name__ == "__main__":
    main(*sys.argv[1:])
