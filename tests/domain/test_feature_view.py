"""A view that makes no sense is refused where it is declared, by name and with the cure."""

from typing import Any

import pytest

from mainspring.domain.aggregation import Aggregation
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.source import Source
from mainspring.errors import DeclarationError

ADS = Source("ads.csv", time="at")


def view(**options: Any) -> FeatureView:
    return FeatureView(**{"name": "creative", "source": ADS, "key": "ad_id", "columns": ["width"]} | options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "Creative Ads"}, "no valid name"),
        ({"name": "../etc"}, "no valid name"),
        ({"key": []}, "no key, or one twice"),
        ({"key": ["ad_id", "ad_id"]}, "no key, or one twice"),
        ({"key": ""}, "no key, or one twice"),
        ({"source": Source("ads.csv")}, "does not say when its rows happened"),
        ({"ttl": "0s"}, "a ttl of zero, so nothing would ever be there"),
        ({"ttl": "0d"}, "a ttl of zero"),
        ({"ttl": "-1d"}, "-1d"),
        ({"ttl": "soon"}, "soon"),
        ({"freshness": "0h"}, "a freshness of zero"),
        ({"columns": ["width", "width"]}, "two columns 'width'"),
        ({"columns": ["ad_id"]}, "two columns 'ad_id'"),
        ({"columns": ["count_1h"], "aggregations": [Aggregation("count", over="1h")]}, "two columns 'count_1h'"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words) as refused:
        view(**options)
    assert refused.value.cure


@pytest.mark.parametrize("over", ["0s", "0d", "soon", "-1h"])
def test_a_window_has_a_length(over: str) -> None:
    with pytest.raises(DeclarationError):
        Aggregation("count", over=over)


def test_a_function_and_a_check_have_names_of_their_own() -> None:
    creative = view()

    def width(rows: object) -> object:
        return rows

    with pytest.raises(DeclarationError, match="two columns 'width'"):
        creative.features(width)
    other = view()
    other.check(width)
    with pytest.raises(DeclarationError, match="two checks 'width'"):
        other.check(width)
