"""What is known of an ad and of a visitor. A request names both, and the gateway finds their features."""

from mainspring import Aggregation, FeatureView, Source
from mainspring.features.images import picture_numbers

ads = Source("data/ads.csv", key="ad_id", time="drawn_at", images="banner")
visits = Source("data/visits.csv", time="left_at")

creative = FeatureView(
    "creative",
    source=ads,
    key="ad_id",
    # of an ad that nobody has told of, and while the online store does not answer
    defaults={"brightness": 0.5, "colourfulness": 70.0, "edge_density": 0.1},
    description="how the ad's banner looks",
)


@creative.features(gives=["brightness", "colourfulness", "edge_density"])
def looks(rows):
    return picture_numbers(rows["banner"])  # each picture is looked at once, not at every run


visitor = FeatureView(
    "visitor",
    source=visits,
    key="visitor_id",
    aggregations=[
        Aggregation("last", "topic", over="30d", name="interest"),
        Aggregation("last", "hour", over="30d", name="usual_hour"),
        Aggregation("count", over="7d"),
    ],
    # of a visitor who has not been seen for so long
    defaults={"interest": "none", "usual_hour": 12},
    description="what the visitor has read; new visits come by POST /features/visitor",
)
