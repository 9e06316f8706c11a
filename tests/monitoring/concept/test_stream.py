"""To which hours the values of a stream belong, also after the oldest hours were forgotten."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mainspring.monitoring.concept.stream import Stream

START = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 24 * 60
"""That are known; older ones are forgotten."""


def through_json(stream: Stream) -> Stream:
    return Stream("adwin", json.loads(json.dumps(stream.to_dict())))


@pytest.mark.parametrize("expected", [0, 50])
def test_a_value_of_a_forgotten_hour_is_told_with_the_oldest_known_one(expected: int) -> None:
    stream = Stream("adwin")
    stream.expect(START - timedelta(days=9), np.zeros(expected))
    for hour in range(HOURS + 5):
        stream.feed(START + timedelta(hours=hour), np.zeros(2))
    for known in (stream, through_json(stream)):
        assert known.hour_of(expected) == START + timedelta(hours=5)
        assert known.hour_of(expected + 2 * 5 + 1) == START + timedelta(hours=5)
        assert known.hour_of(expected + 2 * 6) == START + timedelta(hours=6)


def test_what_was_expected_is_told_with_the_time_of_its_first() -> None:
    stream = Stream("adwin")
    stream.expect(START - timedelta(days=9), np.zeros(50))
    for known in (stream, through_json(stream)):
        assert known.hour_of(49) == START - timedelta(days=9)
        known.feed(START, np.zeros(2))
        assert known.hour_of(0) == known.hour_of(49) == START - timedelta(days=9)
        assert known.hour_of(50) == START
