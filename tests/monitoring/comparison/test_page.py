from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from mainspring.domain.source import Source
from mainspring.monitoring.comparison.comparison import compare_tables
from mainspring.monitoring.comparison.page import comparison_html


class Page(HTMLParser):
    """The words of a page, and whether its elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.tags = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def page(folder, a, b):
    a.write_parquet(folder / "a.parquet")
    b.write_parquet(folder / "b.parquet")
    text = comparison_html(compare_tables(Source("a.parquet"), Source("b.parquet"), folder))
    found = Page(text)
    assert found.open == []
    return text, found


def numbers(columns, rows, seed, shift=0.0):
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {f"n{place}": random.normal(shift * (place % 3 == 0), 1, rows) for place in range(columns)}
    )


def test_what_changed_stands_first_and_the_rest_is_folded(tmp_path):
    before = numbers(4, 500, 1)
    _, found = page(tmp_path, before, numbers(4, 600, 2, shift=2.0).drop("n1"))
    assert "They differ" in found.words
    assert "600 rows beside 500 rows" in found.words
    assert "It vanished: b.parquet has no such column." in found.words
    assert found.words.index("n3") < found.words.index("n2")
    assert "1 as it was" in found.words
    assert "script" not in found.tags


def test_tables_that_are_alike(tmp_path):
    _, found = page(tmp_path, numbers(3, 500, 1), numbers(3, 500, 2))
    assert "They are alike" in found.words
    assert "Nearest to a change" in found.words


def test_five_hundred_columns_are_a_small_page(tmp_path):
    text, found = page(tmp_path, numbers(500, 300, 1), numbers(500, 300, 2, shift=2.0))
    assert len(text.encode()) < 1_000_000
    assert "n499" in found.words


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a" onload="x', "</style>", "&amp;"])
def test_names_and_values_are_no_markup(tmp_path, name):
    before = pl.DataFrame({name: ["x", "y"] * 100})
    _, found = page(tmp_path, before, pl.DataFrame({name: [name, "y"] * 100}))
    assert "script" not in found.tags
    assert found.words.count(name) > 3
