"""The beginnings of pipelines that the tests of the compiler share."""

from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LogisticRegression,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from .conftest import NUMBERS, TEXTS


def ordinal(**settings):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **settings)
    return make_column_transformer((encoder, TEXTS), remainder="passthrough")


def filled():
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_column_transformer((texts, TEXTS), (SimpleImputer(strategy="median", add_indicator=True), NUMBERS))


def scaled():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), TEXTS), (numbers, NUMBERS))


def tree(*steps):
    return make_pipeline(*steps, HistGradientBoostingClassifier(max_iter=9, min_samples_leaf=5))


def line(*steps):
    return make_pipeline(*steps, LogisticRegression(max_iter=200))


def texts(encoder):
    return make_column_transformer((encoder, TEXTS), (SimpleImputer(), NUMBERS))


def numbers(*steps):
    return make_column_transformer((make_pipeline(*steps), NUMBERS))
