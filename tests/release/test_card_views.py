"""The card names the feature views that a release takes features of."""

from mainspring.domain.release import InputField, ViewInput
from mainspring.domain.schema import Kind
from mainspring.release.card import CardFacts, render_card
from mainspring.release.card_views import rows_from
from mainspring.testing.releases import a_manifest

VIEW = ViewInput(
    "visitor",
    "visitor-0123456789ab",
    (InputField("shop", Kind.INTEGER), InputField("visitor|id", Kind.ID)),
    {"count_7d": "visitor.count_7d", "device": "device"},
    (("count_7d", Kind.INTEGER), ("device", Kind.CATEGORY)),
)


def test_views_are_named_with_keys_features_and_where_their_rows_were_from() -> None:
    sources = {"visitor": rows_from("visit_*.csv", 12)}
    card = render_card(a_manifest(views=(VIEW,)), CardFacts(source="rows.csv", rows=3, views=sources))
    assert "## Feature views" in card
    assert "| view | by key | features | rows from |" in card
    assert (
        "| `visitor-0123456789ab` | `shop`, `visitor¦id` | `count_7d`, `device` | visit\\_\\*.csv, and 12 pushed |"
    ) in card


def test_a_release_without_views_says_nothing_of_them() -> None:
    assert "view" not in render_card(a_manifest(), CardFacts(source="rows.csv", rows=3))
