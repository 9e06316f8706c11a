import ast
import subprocess
import sys
import tomllib
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.cli.init_templates import Plan, model_file, settings_file
from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.model import Model
from mainspring.domain.release import OutputSpec
from mainspring.domain.schema import Column, Kind
from mainspring.domain.source import Source
from mainspring.domain.task import Task
from mainspring.project import load_project
from mainspring.release.compile.compiler import compile_estimator
from mainspring.release.inputs import input_fields
from mainspring.release.original import outputs_of
from mainspring.release.parity import compare
from mainspring.training.settling import settle
from mainspring.training.trial import ReplayTrial

HOSTILE = [
    "plain",
    "two words",
    'say "x"',
    "it's",
    "class",
    "a\nb",
    '"""',
    "'''",
    "\\",
    "#",
    "{x}",
    "%s",
    "naïve ☂",
    "\u202ereversed",
    "\x00\x1b[31m",
    "\ud800",
    "a\r\nimport os",
    "",
    " ",
    "__import__('os')",
]


def plan(
    task=Task.BINARY,
    numbers=("age", "hours"),
    categories=(("sex", 2), ("town", 80), ("street", 9_000)),
    target="income",
    left_out=None,
    source=None,
    **changes,
) -> Plan:
    values = {
        "name": "adult",
        "data": "adult.csv",
        "rows": 1_000,
        "source": source or Source("adult.csv", key="id"),
        "target": target,
        "task": task,
        "task_reason": "two values",
        "target_note": "no 76.0%, yes 24.0%",
        "positive": "yes" if task is Task.BINARY else None,
        "key_reason": "every value comes once",
        "time_reason": "no column holds times",
        "numbers": tuple(numbers),
        "categories": tuple(categories),
        "left_out": left_out if left_out is not None else {"id": "the key"},
        "margin": 0.005,
        "margin_note": "half a point of ROC AUC",
        "slices": ("sex",) if categories else (),
    }
    return Plan(**{**values, **changes})


def declared(text: str) -> dict:
    """The literals of a generated file by name, and the arguments of Model(…) and Source(…)."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign):
            name = node.targets[0].id
            if isinstance(node.value, ast.List):
                found[name] = ast.literal_eval(node.value)
            else:
                call = node.value
                found[name] = {k.arg: k.value for k in call.keywords} | {"": call.args}
    return found


PLANS = [
    plan(task=task, numbers=numbers, categories=categories)
    for task, numbers, categories in product(
        Task,
        [(), ("a", "b b")],
        [(), (("c", 3), ("d", 70)), (("e", 3),), (("f", 9_000),), (("g", 3), ("h", 9_000))],
    )
    if numbers or categories
]


def test_every_file_is_formatted_and_clean(tmp_path):
    for number, each in enumerate(PLANS):
        (tmp_path / f"m{number}.py").write_text(model_file(each))
    for command in (["format", "--check"], ["check", "--select", "E4,E7,E9,F,I"]):
        arguments = [sys.executable, "-m", "ruff", command[0], "--isolated", *command[1:], str(tmp_path)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[:2_000]


PARAMS = {
    "learning_rate": 0.1,
    "max_iter": 5,
    "n_estimators": 5,
    "max_leaf_nodes": 7,
    "num_leaves": 7,
    "min_samples_leaf": 5,
    "min_child_samples": 5,
    "l2": 1.0,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
    "subsample": 1.0,
    "C": 1.0,
    "alpha": 1.0,
}


@pytest.mark.parametrize("each", [PLANS[1], PLANS[9], PLANS[13], PLANS[-1]], ids=lambda p: f"{p.task}")
def test_a_file_loads_as_a_project_and_each_candidate_fits_and_compiles(tmp_path, each):
    (tmp_path / "mainspring.toml").write_text(settings_file(each.name))
    (tmp_path / "model.py").write_text(model_file(each))
    model: Model = load_project(tmp_path, {}).model
    features = (*each.numbers, *(name for name, _ in each.categories))
    assert set(model.features) == set(features)
    assert set(model.candidates) >= {"boosted_trees", "lightgbm"}
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=300) for name in each.numbers}
    values |= {name: rng.choice([None, "x", "y", "z"], 300).tolist() for name, _ in each.categories}
    rows = pl.DataFrame(values)
    kinds = dict.fromkeys(each.numbers, Kind.NUMBER)
    fields = input_fields([Column(name, kinds.get(name, Kind.CATEGORY)) for name in model.features], rows)
    classes = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("a", "b", "c"), Task.REGRESSION: ()}[each.task]
    y = rng.integers(0, len(classes), 300) if classes else rng.normal(size=300)
    X = estimator_frame(rows, fields)
    output = OutputSpec(each.task, classes, positive="yes" if len(classes) == 2 else None)
    for name, candidate in model.candidates.items():
        estimator = candidate(ReplayTrial(PARAMS, 0))
        settle(estimator, seed=1, threads=1)
        estimator.fit(X, y)
        compiled = compile_estimator(estimator, fields, output)
        parity = compare(lambda frame, e=estimator: outputs_of(e, frame, each.task, classes), compiled, rows)
        assert parity.holds, (name, parity)


@given(
    names=st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12)), min_size=6, max_size=6, unique=True),
    note=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60)),
)
@settings(max_examples=200)
def test_no_name_in_the_data_can_break_the_file_or_get_lost(names, note):
    one, two, three, target, out, value = names
    text = model_file(
        plan(
            numbers=[one],
            categories=[(two, 3), (three, 300)],
            target=target,
            left_out={out: note},
            positive=value,
            target_note=note,
            task_reason=note,
            key_reason=note,
            time_reason=note,
            margin_note=note,
            data=note,
            slices=(two,),
            source=Source(("a\n.csv", "b'\".csv"), key=one, time=two),
        )
    )
    found = declared(text)
    assert (found["NUMBERS"], found["CATEGORIES"], found["MANY_VALUED"]) == ([one], [two], [three])
    assert ast.literal_eval(found["model"]["target"]) == target
    assert ast.literal_eval(found["model"]["positive"]) == value
    assert ast.literal_eval(found["rows"]["key"]) == one
    assert ast.literal_eval(found["rows"][""][0]) == ["a\n.csv", "b'\".csv"]
    # Nothing of the data became code: the statements are those of the template.
    plain = model_file(
        plan(numbers=["n"], categories=[("c", 3), ("d", 300)], source=Source(("a", "b"), key="n", time="c"))
    )
    assert [type(n) for n in ast.parse(text).body] == [type(n) for n in ast.parse(plain).body]
    text.encode("utf-8")


@given(st.text(max_size=30))
def test_the_settings_file_holds_any_name(name):
    document = tomllib.loads(settings_file(name))
    assert document["name"] == name
    assert set(document) >= {"workspace", "gateway", "run"}


def test_every_guess_has_its_comment():
    text = model_file(plan())
    for phrase in (
        "two values",
        "no 76.0%",
        "every value comes once",
        "no column holds times",
        "the key",
        "half a point",
    ):
        assert phrase in text
