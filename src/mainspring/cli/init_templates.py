"""The files that `mainspring init` writes, as text made from what was found in the data."""

from dataclasses import dataclass

from mainspring.cli.python_text import comment, string, strings
from mainspring.domain.source import Source
from mainspring.domain.task import PRIMARY_METRIC, Task
from mainspring.settings_entries import ENTRIES

GITIGNORE = "# the workspace: records, tables, releases, keys\n.mainspring/\n__pycache__/\n"

# One-hot columns of a linear model: a category with more values than this would make it slow and wide.
FEW_VALUES = 50
# Histogram trees split categories natively up to this number of values.
MOST_NATIVE = 250


@dataclass(frozen=True)
class Plan:
    """All that `model.py` says.

    Attributes:
        data: the data, for people.
        numbers, categories: the features, in order; `categories` holds name and number of known values.
        left_out: column → why it is no feature.
        target_note: what the target's values are.
        margin: by how much a new release may be worse than the champion, in the metric's unit.
        margin_note: where the margin comes from.
        slices: columns by whose values the evaluation is shown.
    """

    name: str
    data: str
    rows: int
    source: Source
    target: str
    task: Task
    task_reason: str
    target_note: str
    positive: str | None
    key_reason: str
    time_reason: str
    numbers: tuple[str, ...]
    categories: tuple[tuple[str, int], ...]
    left_out: dict[str, str]
    margin: float
    margin_note: str
    slices: tuple[str, ...]

    @property
    def native(self) -> tuple[str, ...]:
        return tuple(name for name, values in self.categories if values <= MOST_NATIVE)

    @property
    def many(self) -> tuple[str, ...]:
        return tuple(name for name, values in self.categories if values > MOST_NATIVE)

    @property
    def few(self) -> tuple[str, ...]:
        return tuple(name for name, values in self.categories if values <= FEW_VALUES)


def settings_file(name: str) -> str:
    """`mainspring.toml`: the name, and every entry with its default, commented out."""
    lines = [
        "# Where things live. Every entry can be overridden by an environment variable:",
        "# [gateway] port by MAINSPRING_GATEWAY_PORT. Secrets come by environment or file only.",
        "",
        f"name = {_toml(name)}",
    ]
    section = ""
    for entry in ENTRIES:
        if not entry.section:
            continue
        if entry.section != section:
            section = entry.section
            lines += ["", f"[{section}]"]
        value = _toml(entry.default if entry.default is not None else entry.example)
        lines.append(f"# {entry.key} = {value}  # {entry.about}")
    return "\n".join(lines) + "\n"


def model_file(plan: Plan) -> str:
    """`model.py`, formatted as `ruff format` does."""
    parts = [
        _head(plan),
        _source(plan),
        _features(plan),
        _model(plan),
        *_candidates(plan),
    ]
    return "\n".join(parts)


def _head(plan: Plan) -> str:
    regression = plan.task is Task.REGRESSION
    boosting = "HistGradientBoostingRegressor" if regression else "HistGradientBoostingClassifier"
    lightgbm = "LGBMRegressor" if regression else "LGBMClassifier"
    linear = "Ridge" if regression else "LogisticRegression"
    imports = [
        f"from lightgbm import {lightgbm}",
        "from mainspring import Gate, Model, Source",
        "from sklearn.compose import ColumnTransformer",
        f"from sklearn.ensemble import {boosting}",
    ]
    if plan.numbers:
        imports.append("from sklearn.impute import SimpleImputer")
    if plan.numbers or plan.few:
        imports.append(f"from sklearn.linear_model import {linear}")
    imports.append("from sklearn.pipeline import make_pipeline")
    encoders = [
        *(["OneHotEncoder"] if plan.few else []),
        *(["OrdinalEncoder"] if plan.categories else []),
        *(["StandardScaler"] if plan.numbers else []),
    ]
    imports.append(f"from sklearn.preprocessing import {', '.join(encoders)}")
    about = f"The model {plan.name}: what it learns from, what it predicts, what it must hold."
    written = comment(
        f"Written by `mainspring init` from {plan.data} ({plan.rows:,} rows). The comments say what was guessed "
        "and why; change what is wrong. How each column is read stands in schema.toml."
    )
    return "\n".join([f'"""{about}"""', "", written, "", *imports, ""])


def _source(plan: Plan) -> str:
    source = plan.source
    lines = ["rows = Source("]
    if isinstance(source.location, str):
        lines.append(f"    {string(source.location)},")
    else:
        lines.append(f"    {strings(source.locations, '    ')},")
    if source.query is not None:
        lines.append(f"    query={string(source.query)},")
    for word, value, reason in (("key", source.key, plan.key_reason), ("time", source.time, plan.time_reason)):
        if reason:
            lines.append(comment(f"{word}: {reason}" if value is None else reason, "    "))
        if value is not None:
            lines.append(f"    {word}={string(value)},")
    for option in ("images", "delimiter", "quote", "encoding", "decimal"):
        value = getattr(source, option)
        if value is not None:
            lines.append(f"    {option}={string(value)},")
    return "\n".join([*lines, ")", ""])


def _features(plan: Plan) -> str:
    lines: list[str] = []
    if plan.numbers:
        lines.append(f"NUMBERS = {strings(plan.numbers, '')}")
    if plan.native:
        lines.append(f"CATEGORIES = {strings(plan.native, '')}")
    if plan.many:
        lines.append(comment(f"over {MOST_NATIVE} values each, so trees see their codes as numbers"))
        lines.append(f"MANY_VALUED = {strings(plan.many, '')}")
    if plan.categories and plan.few != plan.native + plan.many:
        lines.append(
            comment(f"at most {FEW_VALUES} values each, so a linear model may have a column for each value")
        )
        lines.append(f"FEW_VALUED = {strings(plan.few, '')}")
    if plan.left_out:
        lines.append("# Left out, and why:")
        for name, reason in plan.left_out.items():
            lines.append(comment(f"- {string(name)}: {reason}"))
    return "\n".join([*lines, ""])


def _model(plan: Plan) -> str:
    metric = PRIMARY_METRIC[plan.task]
    lists = [
        *(["*NUMBERS"] if plan.numbers else []),
        *(["*CATEGORIES"] if plan.native else []),
        *(["*MANY_VALUED"] if plan.many else []),
    ]
    lines = [
        "model = Model(",
        f"    {string(plan.name)},",
        "    source=rows,",
        f"    target={string(plan.target)},",
        comment(plan.task_reason, "    "),
        f"    task={string(plan.task.value)},",
    ]
    if plan.target_note:
        lines.append(comment(plan.target_note, "    "))
    if plan.positive is not None:
        lines.append(f"    positive={string(plan.positive)},")
    lines += [
        f"    features=[{', '.join(lists)}],",
        comment(_holdout_note(plan.source), "    "),
        "    holdout=0.2,",
        "    gates=[",
        comment("whatever it learnt must beat the predictor that knows only the target's values", "        "),
        f"        Gate({string(metric)}, better_than={string('naive')}),",
        comment(f"a new release may be worse than the champion by {plan.margin_note}", "        "),
        f"        Gate({string(metric)}, no_worse_than={string('champion')}, margin={plan.margin!r}),",
        "    ],",
    ]
    if plan.slices:
        lines.append(
            comment("the evaluation is shown for each of their values; a Gate(…, by=…) judges them", "    ")
        )
        lines.append(f"    slices={strings(plan.slices, '    ')},")
    return "\n".join([*lines, ")", ""])


def _holdout_note(source: Source) -> str:
    if source.time is not None:
        return f"the newest fifth of the rows by {string(source.time)} is never trained on"
    by = string(source.key) if source.key is not None else "the row's content"
    return f"a fifth of the rows, chosen for ever by a hash of {by}, is never trained on"


_BOOSTED_TREES = """
@model.candidate
def boosted_trees(trial):
    return make_pipeline(
        coded(),
        {estimator}(
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            max_iter=trial.suggest_int("max_iter", 50, 500, log=True),
            max_leaf_nodes=trial.suggest_int("max_leaf_nodes", 7, 63, log=True),
            min_samples_leaf=trial.suggest_int("min_samples_leaf", 5, 100, log=True),
            l2_regularization=trial.suggest_float("l2", 1e-3, 10.0, log=True),
{categorical}            early_stopping=False,
        ),
    )
"""

_LIGHTGBM = """
@model.candidate
def lightgbm(trial):
    return make_pipeline(
        coded(),
        {estimator}(
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            n_estimators=trial.suggest_int("n_estimators", 50, 800, log=True),
            num_leaves=trial.suggest_int("num_leaves", 7, 63, log=True),
            min_child_samples=trial.suggest_int("min_child_samples", 5, 100, log=True),
            reg_lambda=trial.suggest_float("reg_lambda", 1e-3, 10.0, log=True),
            colsample_bytree=trial.suggest_float("colsample_bytree", 0.4, 1.0),
            subsample=trial.suggest_float("subsample", 0.6, 1.0),
            subsample_freq=1,
        ),
    )
"""


def _candidates(plan: Plan) -> list[str]:
    kind = "Regressor" if plan.task is Task.REGRESSION else "Classifier"
    native = "            categorical_features=list(range(len(CATEGORIES))),\n" if plan.native else ""
    return [
        _trees_preprocessing(plan),
        _BOOSTED_TREES.format(estimator=f"HistGradientBoosting{kind}", categorical=native),
        _LIGHTGBM.format(estimator=f"LGBM{kind}"),
        *([_linear(plan)] if plan.numbers or plan.few else []),
    ]


def _trees_preprocessing(plan: Plan) -> str:
    # Categories come first, so that their places are known to the histogram trees. What has none goes through it
    # too: an array has no column names, and LightGBM refuses or alters many a name.
    steps = []
    if plan.native:
        steps.append('            ("categories", codes, CATEGORIES),')
    if plan.numbers:
        steps.append('            ("numbers", "passthrough", NUMBERS),')
    if plan.many:
        steps.append('            ("many_valued", codes, MANY_VALUED),')
    encoder = (
        "    codes = OrdinalEncoder(\n"
        '        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2\n'
        "    )\n"
    )
    about = "Categories as codes, numbers as they are" if plan.categories else "Numbers as they are"
    return (
        f'\ndef coded():\n    """{about}: trees need no more."""\n'
        + (encoder if plan.categories else "")
        + _column_transformer("return", steps)
    )


def _linear(plan: Plan) -> str:
    steps = []
    if plan.numbers:
        steps.append('            ("numbers", numbers, NUMBERS),')
    if plan.few:
        name = "FEW_VALUED" if plan.few != plan.native + plan.many else "CATEGORIES"
        steps.append(f'            ("categories", OneHotEncoder(handle_unknown="ignore"), {name}),')
    scaled = (
        '    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())\n' if plan.numbers else ""
    )
    if plan.task is Task.REGRESSION:
        estimator = 'Ridge(alpha=trial.suggest_float("alpha", 1e-2, 1e3, log=True))'
    else:
        c = 'C=trial.suggest_float("C", 1e-2, 1e2, log=True)'
        estimator = f"LogisticRegression(\n            {c}, max_iter=1_000\n        )"
    return (
        "\n@model.candidate\ndef linear(trial):\n"
        + scaled
        + _column_transformer("columns =", steps)
        + f"    return make_pipeline(\n        columns,\n        {estimator},\n    )\n"
    )


def _column_transformer(before: str, steps: list[str]) -> str:
    lines = "\n".join(steps)
    return f"    {before} ColumnTransformer(\n        [\n{lines}\n        ]\n    )\n"


def _toml(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    text = "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in str(value))
    return f'"{text}"'
