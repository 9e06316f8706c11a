"""`mainspring adopt` with real models of every origin, then served by a gateway that answers as they do."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mainspring.cli.main import call
from mainspring.clock import SYSTEM_CLOCK
from mainspring.demo.gateway import gateway
from mainspring.quiet import be_quiet

pytestmark = [
    pytest.mark.timeout(600),
    # Of MLflow, LightGBM and scikit-learn themselves, when models are logged and loaded.
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

NUMBERS = ["age", "income"]
FEATURES = ["age", "income", "town", "member"]


def people(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, count),
            "income": rng.lognormal(10, 1, count).round(2),
            "town": rng.choice(["ulm", "köln", "?"], count),
            "member": rng.choice(["yes", "no"], count),
        }
    )
    chance = 1 / (1 + np.exp(-((frame.age - 45) / 8 + 2 * (frame.town == "ulm"))))
    return frame.assign(outcome=np.where(rng.random(count) < chance, "buys", "leaves"))


PEOPLE = people(400)
X, Y = PEOPLE[FEATURES], PEOPLE["outcome"].to_numpy()


def pipeline(model: Any) -> Any:
    """Fitted as people fit it: on the frame as pandas reads it, with the labels as they are."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["town", "member"]), remainder="passthrough"
    )
    return make_pipeline(encode, model).fit(X, Y)


LOGISTIC = pipeline(make_pipeline(StandardScaler(), LogisticRegression()))


class Shop:
    """A project with a sample of its own; adopts models and tells how it went."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "mainspring.toml").touch()
        self.rows = self.table("rows.csv", PEOPLE)

    def table(self, name: str, frame: pd.DataFrame) -> Path:
        frame.to_csv(self.folder / name, index=False)
        return self.folder / name

    def call(self, *arguments: Any, code: int = 0) -> Any:
        """In this process; the JSON document."""
        with (self.folder / "out.json").open("w+b") as out:
            kept = os.dup(1)
            os.dup2(out.fileno(), 1)
            try:
                words = [str(one) for one in arguments]
                got = call([*words, "--project", str(self.folder), "--json"], {**os.environ, "USER": "ann"})
            finally:
                os.dup2(kept, 1)
                os.close(kept)
            out.seek(0)
            document = json.loads(out.read())
        assert got == code, document
        return document

    def adopt(self, place: Any, name: str, *more: Any, code: int = 0, data: Path | None = None) -> Any:
        return self.call("adopt", place, "--name", name, "--data", data or self.rows, *more, code=code)

    def releases(self, name: str) -> list[Any]:
        found: list[Any] = self.call("releases", name)
        return found

    def nothing_of(self, name: str) -> bool:
        folder = self.folder / ".mainspring" / "releases" / name
        return not self.releases(name) and not folder.exists()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("adopting"))


def asked(rows: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
    return found


# Each origin: what is adopted, and what the original itself answers.


def _joblib(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    joblib.dump(LOGISTIC, shop.folder / "logistic.joblib", compress=3)
    return shop.adopt(shop.folder / "logistic.joblib", "joblib", "--trust"), LOGISTIC.predict_proba


def _pickle(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    model = pipeline(KNeighborsClassifier())
    (shop.folder / "near.pkl").write_bytes(pickle.dumps(model))
    return shop.adopt(shop.folder / "near.pkl", "pickle", "--trust"), model.predict_proba


def _skops(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    model = pipeline(HistGradientBoostingClassifier(max_iter=10, random_state=0))
    place = shop.folder / "boosted.skops"
    skops.io.dump(model, place)
    types = [word for one in skops.io.get_untrusted_types(file=place) for word in ("--trust-type", one)]
    return shop.adopt(place, "skops", *types, "--target", "outcome"), model.predict_proba


def _onnx(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    """A float32 forest, as skl2onnx exports it: one matrix in, labels and a list of maps out."""
    to_onnx = pytest.importorskip("skl2onnx").to_onnx
    from sklearn.ensemble import RandomForestClassifier

    array = X[NUMBERS].to_numpy(np.float32)
    content = to_onnx(RandomForestClassifier(10, max_depth=5, random_state=0).fit(array, Y), array[:1])
    place = shop.folder / "forest.onnx"
    place.write_bytes(content.SerializeToString())
    session = onnxruntime.InferenceSession(str(place), providers=["CPUExecutionProvider"])

    def answers(rows: pd.DataFrame) -> Any:
        maps = session.run(None, {"X": rows[NUMBERS].to_numpy(np.float32)})[1]
        return np.array([[one["buys"], one["leaves"]] for one in maps])

    return shop.adopt(place, "onnx", "--features", "age,income"), answers


def _onnx_texts(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    """A pipeline with an input a column, some of them texts."""
    to_onnx = pytest.importorskip("skl2onnx").to_onnx
    typed = X[:1].astype({"age": np.float32, "income": np.float32})
    place = shop.folder / "logistic.onnx"
    place.write_bytes(to_onnx(LOGISTIC, typed, options={"zipmap": False}).SerializeToString())
    session = onnxruntime.InferenceSession(str(place), providers=["CPUExecutionProvider"])

    def answers(rows: pd.DataFrame) -> Any:
        fed = {name: rows[[name]].to_numpy(np.float32 if name in NUMBERS else object) for name in FEATURES}
        return session.run(None, fed)[1]

    return shop.adopt(place, "texts", "--positive", "buys"), answers


def _registered(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    """A pipeline that was logged to somebody's MLflow, under an alias."""
    import mlflow

    store = f"sqlite:///{shop.folder / 'theirs.db'}"
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    try:
        mlflow.create_experiment("theirs", (shop.folder / "theirs").as_uri())
        mlflow.set_experiment("theirs")
        with mlflow.start_run() as run:
            mlflow.sklearn.log_model(LOGISTIC, name="model", registered_model_name="buyers")
        mlflow.MlflowClient().set_registered_model_alias("buyers", "best", "1")
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
    first = shop.adopt("models:/buyers@best", "mlflow", "--tracking", store)
    again = shop.adopt(f"runs:/{run.info.run_id}/model", "mlflow", "--tracking", store)
    assert again["adopted_before"]
    assert again["ref"] == first["ref"] == "mlflow@1"
    return first, LOGISTIC.predict_proba


def _lightgbm(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    """Fitted on pandas categories, which a frame of texts is not."""
    import mlflow
    from lightgbm import LGBMClassifier

    texts = {"town": "category", "member": "category"}
    model = LGBMClassifier(n_estimators=10, verbose=-1).fit(X.astype(texts), Y)
    mlflow.lightgbm.save_model(model, shop.folder / "lightgbm")
    refused = shop.adopt(shop.folder / "lightgbm", "lightgbm", code=2)
    assert "lightgbm.basic.Booster" in refused["message"]
    adopted = shop.adopt(shop.folder / "lightgbm", "lightgbm", "--trust")
    return adopted, lambda rows: model.predict_proba(rows[FEATURES].astype(texts))


def _function(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    """Code of somebody's own behind MLflow's python_function; it reads a file that was logged with it."""
    import mlflow

    factors = shop.folder / "factors.json"
    factors.write_text("[2.0, 0.1]")

    class Price(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
            import json as reader

            with open(context.artifacts["factors"]) as file:  # noqa: PTH123 - pickled: nothing of this module
                a, b = reader.load(file)
            return model_input["age"] * a + model_input["income"] * b

    place = shop.folder / "function"
    mlflow.pyfunc.save_model(
        place, python_model=Price(), artifacts={"factors": str(factors)}, input_example=X[NUMBERS].head(3)
    )
    assert shop.adopt(place, "function", code=2)["cure"].startswith("if you know where it is from")
    adopted = shop.adopt(place, "function", "--trust")
    return adopted, lambda rows: (rows["age"] * 2.0 + rows["income"] * 0.1).to_numpy()[:, None]


def _array(shop: Shop) -> tuple[Any, Callable[[pd.DataFrame], Any]]:
    """A regression fitted on an array, so that it knows no names."""
    model = RandomForestRegressor(5, random_state=0).fit(X[NUMBERS].to_numpy(), X["income"] / 7)
    joblib.dump(model, shop.folder / "array.joblib")
    wrong = shop.adopt(shop.folder / "array.joblib", "array", "--trust", code=1)
    assert "takes 2 columns, and here are 5" in wrong["message"]
    adopted = shop.adopt(shop.folder / "array.joblib", "array", "--trust", "--features", "age,income")
    return adopted, lambda rows: model.predict(rows[NUMBERS].to_numpy())[:, None]


ORIGINS = {
    # name: how, the runtime that it gets, its columns, tolerance
    "joblib": (_joblib, "onnx", FEATURES, 1e-12),
    "pickle": (_pickle, "native", FEATURES, 1e-12),
    "skops": (_skops, "onnx", FEATURES, 1e-12),
    "onnx": (_onnx, "onnx", NUMBERS, 1e-6),
    "texts": (_onnx_texts, "native", FEATURES, 1e-6),
    "mlflow": (_registered, "onnx", FEATURES, 1e-12),
    "lightgbm": (_lightgbm, "native", FEATURES, 1e-12),
    "function": (_function, "native", NUMBERS, 1e-12),
    "array": (_array, "onnx", NUMBERS, 1e-9),
}


@pytest.fixture(scope="module")
def adopted(shop: Shop) -> dict[str, tuple[Any, Callable[[pd.DataFrame], Any]]]:
    be_quiet()
    found = {name: how(shop) for name, (how, *_) in ORIGINS.items()}
    for name in found:
        shop.call("promote", f"{name}@1")
    return found


def test_each_origin_becomes_a_release_that_tells_what_it_is(shop: Shop, adopted: Any) -> None:
    for name, (_, runtime, columns, _) in ORIGINS.items():
        document, _ = adopted[name]
        assert document["ref"] == f"{name}@1"
        assert (document["origin"], document["runtime"], document["inputs"]) == ("adopted", runtime, columns), name
        assert document["snapshots"] == []
        assert document["candidate"] is None
        assert not document["promoted"]
    classes = adopted["joblib"][0]["output"]
    assert (classes["classes"], classes["positive"]) == (["buys", "leaves"], "leaves")
    assert adopted["texts"][0]["output"]["positive"] == "buys"
    assert adopted["function"][0]["task"] == adopted["array"][0]["task"] == "regression"


def test_the_gateway_answers_as_the_originals_do(shop: Shop, adopted: Any) -> None:
    rows = people(50, seed=9)
    # Each native release starts a process that imports what its model needs.
    with gateway(shop.folder, dict(os.environ), SYSTEM_CLOCK, token=None, patience=300.0) as client:
        for name, (_, _, columns, tolerance) in ORIGINS.items():
            answers = client.predict(name, asked(rows[columns]))["predictions"]
            expected = np.asarray(adopted[name][1](rows))
            got = [list(one.get("probabilities", {"": one["prediction"]}).values()) for one in answers]
            assert np.asarray(got) == pytest.approx(expected, rel=tolerance, abs=tolerance), name
            if expected.shape[1] == 2:
                labels = np.array(["buys", "leaves"])[expected.argmax(axis=1)]
                sure = np.abs(expected[:, 0] - 0.5) > 1e-3
                told = np.array([one["prediction"] for one in answers])
                assert (told == labels)[sure].all(), name


def test_metrics_are_those_of_the_sample_and_only_where_the_truth_is(shop: Shop, adopted: Any) -> None:
    found = shop.call("show", "skops@1")
    assert found["target"] == "outcome"
    assert 0.8 < found["metrics"]["roc_auc"] <= 1.0
    assert any("measured on the 400 sample rows" in warning for warning in found["warnings"])
    plain = shop.call("show", "joblib@1")
    assert (plain["target"], plain["metrics"], plain["training"], plain["code_digest"]) == ("", {}, None, "")
    card = Path(found["folder"], "MODEL_CARD.md").read_text()
    assert "It was adopted" in card
    assert "from which it may have learnt" in card
    assert "Not known" in Path(plain["folder"], "MODEL_CARD.md").read_text()


def test_a_truth_in_yes_and_no_is_read_in_the_models_own_words(shop: Shop, tmp_path: Path) -> None:
    joblib.dump(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X[NUMBERS], PEOPLE["member"]),
        tmp_path / "member.joblib",
    )
    found = shop.adopt(tmp_path / "member.joblib", "member", "--trust", "--target", "member")
    assert found["output"]["classes"] == ["no", "yes"]
    assert 0.4 < found["metrics"]["accuracy"] < 0.7


def test_reproduce_says_that_there_is_nothing_to_fit_again(shop: Shop, adopted: Any) -> None:
    refused = shop.call("reproduce", "joblib@1", code=1)
    assert refused["error"] == "NotReproduced"
    assert "adopted: how it was trained is not known" in refused["message"]
    assert "mainspring run" in refused["cure"]


def test_the_other_verbs_take_it_like_any_release(shop: Shop, adopted: Any) -> None:
    row = asked(people(1, seed=3)[FEATURES])[0]
    for name in ("joblib", "texts"):
        (answer,) = shop.call("predict", name, "--row", json.dumps(row))["predictions"]
        expected = adopted[name][1](pd.DataFrame([row]))[0]
        assert list(answer["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-6)
    shop.call(
        "score", "lightgbm", "--input", shop.rows, "--output", shop.folder / "scored.parquet", "--keep-columns"
    )
    scored = pl.read_parquet(shop.folder / "scored.parquet")
    assert scored["probability_buys"].to_numpy() == pytest.approx(adopted["lightgbm"][1](X)[:, 0], abs=1e-12)
    assert scored["town"].to_list() == X["town"].tolist()
    compared = shop.call("compare", "joblib@1", "mlflow@1")
    assert "was adopted" in compared["note"]
    text = subprocess.run(
        [sys.executable, "-m", "mainspring", "show", "function@1"], cwd=shop.folder, capture_output=True, text=True
    )
    assert text.returncode == 0, text.stderr
    assert "adopted" in text.stdout


def test_adopting_the_same_again_makes_no_second_release(shop: Shop, adopted: Any) -> None:
    again = shop.adopt(shop.folder / "logistic.joblib", "joblib", "--trust", "--promote")
    assert (again["ref"], again["adopted_before"], again["promoted"]) == ("joblib@1", True, True)
    assert len(shop.releases("joblib")) == 1
    other = shop.adopt(shop.folder / "near.pkl", "joblib", "--trust")
    assert (other["ref"], other["adopted_before"]) == ("joblib@2", False)
    assert [one["aliases"] for one in shop.releases("joblib")] == [[], ["champion"]]


# Bad input: an error that fits on one screen, and nothing left behind.


class _Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


@pytest.mark.parametrize("name", ["trap.pkl", "trap.joblib", "trap.sav", "trap", "trap.onnx", "trap.skops"])
def test_a_pickle_is_not_opened_unless_it_is_trusted(shop: Shop, tmp_path: Path, name: str) -> None:
    mark = tmp_path / "ran"
    (tmp_path / name).write_bytes(pickle.dumps(_Trap(mark)))
    refused = shop.adopt(tmp_path / name, "trap", code=1 if name.endswith(("onnx", "skops")) else 2)
    assert not mark.exists()
    assert "--trust" in refused["cure"] or name.endswith(("onnx", "skops"))
    assert shop.nothing_of("trap")
    if name == "trap.pkl":
        shop.adopt(tmp_path / name, "trap", "--trust", code=1)
        assert mark.exists()  # so the trap is one
        assert shop.nothing_of("trap")


def test_an_mlflow_pickle_is_not_opened_either(shop: Shop, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(_Trap(mark)))
    flavors = "flavors:\n  sklearn:\n    pickled_model: model.pkl\n    serialization_format: cloudpickle\n"
    (folder / "MLmodel").write_text(flavors)
    refused = shop.adopt(folder, "trap", code=2)
    assert "--trust" in refused["cure"]
    assert not mark.exists()
    lying = flavors.replace("cloudpickle", "skops")
    for text in (lying, lying.replace("model.pkl", "../model.pkl"), "flavors: 3", "- a", "\0", "a: [", ""):
        (folder / "MLmodel").write_text(text)
        assert shop.adopt(folder, "trap", code=1)["error"] == "ReleaseError"
    assert not mark.exists()
    assert shop.nothing_of("trap")


def test_a_skops_file_that_unpacks_to_more_than_there_is_room_for(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb.skops"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("weights", bytes(30_000_000))
    assert bomb.stat().st_size < 100_000
    monkeypatch.setattr("mainspring.release.adoption.from_estimator._GREATEST", 20_000_000)
    assert "unpacks to 0.0 GB, more than 0.02 GB" in shop.adopt(bomb, "bad", code=1)["message"]
    assert shop.nothing_of("bad")


def test_files_that_are_no_model(shop: Shop, tmp_path: Path) -> None:
    archive = tmp_path / "other.skops"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "no model")
    broken = tmp_path / "broken.skops"
    with zipfile.ZipFile(broken, "w") as file:
        file.writestr("schema.json", '{"__class__": "X", "__module__": "os", "__loader__": "NoLoader"}')
    (tmp_path / "garbage.onnx").write_bytes(os.urandom(4000))
    (tmp_path / "garbage.pkl").write_bytes(b"\x80\x04" + os.urandom(400))
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "dict.pkl").write_bytes(pickle.dumps({"model": 1}))
    (tmp_path / "unfitted.pkl").write_bytes(pickle.dumps(LinearRegression()))
    (tmp_path / "empty").mkdir()
    for name, code, words in (
        ("absent.onnx", 1, "there is no"),
        ("other.skops", 1, "not of skops"),
        ("broken.skops", 1, "cannot be read here"),
        ("garbage.onnx", 1, "is no ONNX file"),
        ("garbage.pkl", 1, "cannot be read here"),
        ("text.txt", 2, "of no known format"),
        ("dict.pkl", 1, "has no predict"),
        ("unfitted.pkl", 1, "refuses the sample rows"),
        ("empty", 1, "no file MLmodel"),
        ("models:/nothing@best", 1, "MLflow has no model"),
    ):
        place = name if name.startswith("models:") else tmp_path / name
        trust = ["--trust"] if name.endswith(".pkl") else []
        store = ["--tracking", f"sqlite:///{tmp_path / 'none.db'}"] if name.startswith("models:") else []
        refused = shop.adopt(place, "bad", *trust, *store, code=code)
        assert words in refused["message"], refused
        assert refused["error"] != "Bug"
        assert refused["cure"]
    assert shop.nothing_of("bad")


def test_samples_that_do_not_fit(shop: Shop, tmp_path: Path) -> None:
    joblib.dump(LOGISTIC, tmp_path / "m.joblib")
    base = (tmp_path / "m.joblib", "bad")
    worded = PEOPLE.astype({"age": object})
    worded.loc[7, "age"] = "old"
    for frame, more, code, words in (
        (PEOPLE.head(199), [], 1, "has 199 rows"),
        (PEOPLE.rename(columns={"income": "incom"}), [], 1, "lacks 1 of the model's 4 columns: 'income'"),
        (PEOPLE, ["--target", "outcom"], 1, "no column 'outcom' for the target"),
        (PEOPLE, ["--target", "town"], 1, "is one of the columns"),
        (PEOPLE.assign(outcome="else"), ["--target", "outcome"], 1, "holds 'else', and the model knows"),
        (PEOPLE, ["--positive", "maybe"], 2, "'maybe' is no class"),
        (PEOPLE, ["--task", "regression"], 2, "classes"),
        (PEOPLE, ["--classes", "a,b"], 2, "own classes are buys, leaves"),
        (PEOPLE, ["--features", "age,town"], 1, "own columns are"),
        (worded, [], 1, "age"),
    ):
        data = tmp_path / "rows.csv"
        frame.to_csv(data, index=False)
        refused = shop.adopt(*base, "--trust", *more, code=code, data=data)
        assert words in refused["message"], refused
        assert refused["cure"]
    schema = tmp_path / "schema.toml"
    schema.write_text('[columns.outcome]\nkind = "category"\n')
    refused = shop.adopt(*base, "--trust", "--schema", schema, code=1)
    assert "describes 0 of the model's 4 columns" in refused["message"]
    kinds = {"age": "integer", "income": "number", "town": "category", "member": "boolean"}
    schema.write_text("".join(f'[columns.{name}]\nkind = "{kind}"\n' for name, kind in kinds.items()))
    with schema.open("a") as file:
        file.write('true = ["yes"]\nfalse = ["no"]\n')
    known_words = make_column_transformer((OneHotEncoder(), ["town", "member"]))  # refuses others
    joblib.dump(make_pipeline(known_words, LogisticRegression()).fit(X, Y), tmp_path / "words.joblib")
    refused = shop.adopt(tmp_path / "words.joblib", "bad", "--trust", "--schema", schema, code=1)
    assert "words are read as booleans in 'member'" in refused["cure"]
    assert shop.adopt(*base, "--trust", code=1, data=tmp_path / "none.csv")["error"] == "SourceNotFound"
    assert shop.adopt(tmp_path / "m.joblib", "Bad Name", "--trust", code=2)["error"] == "UsageError"
    assert shop.adopt(tmp_path / "m.joblib", "bad@3", "--trust", code=2)["error"] == "UsageError"
    assert shop.nothing_of("bad")


def test_a_model_that_answers_at_random_is_refused(shop: Shop, tmp_path: Path) -> None:
    import cloudpickle

    class Dice:
        def predict(self, rows: Any) -> Any:
            import random

            return [random.random() for _ in range(len(rows))]

    (tmp_path / "dice.pkl").write_bytes(cloudpickle.dumps(Dice()))
    refused = shop.adopt(tmp_path / "dice.pkl", "dice", "--trust", code=1)
    assert "differently when it is asked again" in refused["message"]
    assert shop.nothing_of("dice")


def test_people_get_one_screen_and_no_traceback(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(LOGISTIC))
    command = [sys.executable, "-m", "mainspring", "adopt", str(tmp_path / "m.pkl"), "--name", "m", "--data"]
    told = subprocess.run([*command, str(shop.rows)], cwd=shop.folder, capture_output=True, text=True)
    assert told.returncode == 2
    assert "whoever made it decides what runs here" in told.stderr
    assert "--trust" in told.stderr
    assert "Traceback" not in told.stderr
    assert len(told.stderr.splitlines()) < 10
    outside = subprocess.run([*command, str(shop.rows)], cwd=tmp_path, capture_output=True, text=True)
    assert outside.returncode == 1
    assert "touch mainspring.toml" in outside.stderr
