"""The same model, by somebody in a hurry, from an export that has the clicks the wrong way round.

Every gate holds: the rows that judge the model have the same fault as those that taught it. Only production tells.
"""

from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from views import creative, visitor  # the demo copies views.py to here

from mainspring import Canary, Gate, Model, Rollout, Source

NUMBERS = ["hour", "weekday", "position", "price_cents"]
CATEGORIES = ["site", "device", "age_group", "category"]
FOUND = [creative["brightness"], creative["colourfulness"]]
INTEREST = visitor["interest"]

model = Model(
    "adclick",
    source=Source("data/impressions.csv", key="impression_id", time="shown_at"),
    target="clicked",
    task="binary",
    positive="1",
    features=[*NUMBERS, *CATEGORIES, *FOUND, INTEREST],
    # no comparison with the champion: it has learnt from these very rows, so that this gate would stay open
    gates=[Gate("log_loss", better_than="naive"), Gate("roc_auc", at_least=0.55)],
    label_delay="5s",
    # no replay: it would have told at once
    rollout=Rollout(
        replay=None, shadow="5m", canary=Canary([25, 50], each="5m"), min_requests=300, bake="30s", latency=20
    ),
)


@model.candidate
def lightgbm(trial):
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    numbers = [*NUMBERS, *(feature.column for feature in FOUND)]
    columns = ColumnTransformer(
        [("categories", codes, [*CATEGORIES, INTEREST.column]), ("numbers", "passthrough", numbers)]
    )
    return make_pipeline(
        columns, LGBMClassifier(n_estimators=trial.suggest_int("n_estimators", 50, 80), num_leaves=15)
    )
