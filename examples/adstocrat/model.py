"""Will this visitor click on this ad? The advertising agency of `mainspring demo`."""

from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from views import creative, visitor

from mainspring import Canary, Gate, Model, Monitor, Retrain, Rollout, Source

# Every time an ad was shown, in the order of time, to whom, where, and whether it was clicked.
impressions = Source("data/impressions.csv", key="impression_id", time="shown_at")

# What a request says.
NUMBERS = ["hour", "weekday", "position", "price_cents"]
CATEGORIES = ["site", "device", "age_group", "category"]
# What is found by the keys that it names, ad_id and visitor_id. A training row has what was known at its moment.
LOOKS = [creative["brightness"], creative["colourfulness"], creative["edge_density"]]
HABITS = [visitor["usual_hour"], visitor["count_7d"]]
INTEREST = visitor["interest"]

ALL_NUMBERS = [*NUMBERS, *(feature.column for feature in (*LOOKS, *HABITS))]
ALL_CATEGORIES = [*CATEGORIES, INTEREST.column]

model = Model(
    "adclick",
    source=impressions,
    target="clicked",
    task="binary",
    positive="1",
    # not ad_id itself: the model shall judge ads that it has never seen, by their category and their looks
    features=[*NUMBERS, *CATEGORIES, *LOOKS, *HABITS, INTEREST],
    # the newest fifth of the impressions is never trained on
    holdout=0.2,
    gates=[
        # a margin, since what a retraining is judged by may be some hundred rows
        Gate("log_loss", no_worse_than="naive", margin=0.02),
        Gate("roc_auc", at_least=0.55),
        Gate("roc_auc", no_worse_than="champion", margin=0.01),
    ],
    slices=["device"],
    # The demo has minutes for what takes weeks. So there are seconds here where a real project has hours and days,
    # as the comments say.
    label_delay="5s",  # 1d: whether there was a click is known by then
    monitors=[
        Monitor.concept(every="5s", window="2m"),  # every="1h", window="1d", as it is where nothing is given
        Monitor.technical("log_drops", at_most=0),
        Monitor.technical("error_share", at_most=0.01),
        # A real project also has Monitor.drift() and Monitor.prediction(), which look at whole hours, and
        # Monitor.technical("feature_agreement", at_least=0.99, every="6h"): what was found is what history knows.
    ],
    retrain=Retrain(
        on=["drift", "performance"],
        cooldown="1m",  # 6h
        per_day=1,  # 4: as more of the new taste is known, the training would be repeated
    ),
    rollout=Rollout(
        replay="1h",  # 7d
        shadow="8s",  # 1h
        canary=Canary([25, 50], each="6s"),  # Canary([5, 25, 50], each="30m")
        min_requests=150,  # 500
        bake="12s",  # 1h
        deadline="1h",  # 7d
        latency=20,  # 3: on two cores the trainings of the demo are heard
    ),
)


def coded():
    """Categories as codes, numbers as they are: trees need no more."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    return ColumnTransformer([("categories", codes, ALL_CATEGORIES), ("numbers", "passthrough", ALL_NUMBERS)])


@model.candidate
def lightgbm(trial):
    return make_pipeline(
        coded(),
        LGBMClassifier(
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            n_estimators=trial.suggest_int("n_estimators", 50, 400, log=True),
            num_leaves=trial.suggest_int("num_leaves", 7, 31, log=True),
            min_child_samples=trial.suggest_int("min_child_samples", 20, 200, log=True),
            reg_lambda=trial.suggest_float("reg_lambda", 1e-2, 10.0, log=True),
            colsample_bytree=trial.suggest_float("colsample_bytree", 0.4, 1.0),
        ),
    )


@model.candidate
def boosted_trees(trial):
    return make_pipeline(
        coded(),
        HistGradientBoostingClassifier(
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            max_iter=trial.suggest_int("max_iter", 50, 300, log=True),
            max_leaf_nodes=trial.suggest_int("max_leaf_nodes", 7, 31, log=True),
            l2_regularization=trial.suggest_float("l2", 1e-2, 10.0, log=True),
            categorical_features=list(range(len(ALL_CATEGORIES))),
            early_stopping=False,
        ),
    )


@model.candidate
def linear(trial):
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ALL_NUMBERS),
            ("categories", OneHotEncoder(handle_unknown="ignore"), ALL_CATEGORIES),
        ]
    )
    return make_pipeline(
        columns, LogisticRegression(C=trial.suggest_float("C", 1e-3, 1e1, log=True), max_iter=1_000)
    )
