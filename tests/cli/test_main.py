import json
import subprocess
import sys

import pytest

import mainspring
from mainspring.cli.main import call

VERBS = [
    "init",
    "run",
    "serve",
    "predict",
    "score",
    "status",
    "releases",
    "runs",
    "show",
    "promote",
    "rollback",
    "compare",
    "reproduce",
    "demo",
]


def test_help_names_every_verb_and_the_exit_codes(capfd):
    assert call(["--help"], {}) == 0
    out = capfd.readouterr().out
    for verb in VERBS:
        assert f"  {verb} " in out
    assert "3 refused" in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_takes_json_and_project(verb, capfd):
    assert call([verb, "--help"], {}) == 0
    out = capfd.readouterr().out
    assert "--json" in out
    assert "--project" in out


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys, os\n"
        "from mainspring.cli.main import call\n"
        "sys.stdout = open(os.devnull, 'w')\n"
        "assert call(['--help'], {}) == 0\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stderr.split()
    heavy = {
        "numpy",
        "polars",
        "pandas",
        "sklearn",
        "mlflow",
        "optuna",
        "sqlalchemy",
        "deltalake",
        "pyarrow",
        "dbos",
    }
    heavy |= {
        "lightgbm",
        "onnx",
        "onnxruntime",
        "pandera",
        "PIL",
        "uvicorn",
        "cryptography",
        "rich.console",
        "msgspec",
    }
    assert heavy.isdisjoint(modules)
    assert len(modules) < 300  # 216 at the time of writing; how long they take is the machine's affair


def test_version(capfd):
    assert call(["--version"], {}) == 0
    assert capfd.readouterr().out == f"mainspring {mainspring.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "phrases"),
    [
        (["relases"], ["relases", "releases", "mainspring --help"]),
        (["run", "--bugdet", "3s"], ["--bugdet", "--budget", "mainspring run --help"]),
        (["run", "--trials", "0"], ["--trials", "1"]),
        (["runs", "--limit", "many"], ["--limit", "many", "valid int"]),
        (["promote"], ["MODEL@N"]),
        (["init"], ["init needs data", "--data FILE"]),
        (["init", "--data"], ["--data"]),
        (["init", "d", "--data", "x.csv", "--target", "y", "--task", "guess"], ["--task guess", "regression"]),
    ],
)
def test_wrong_usage_is_told_and_exits_with_two(arguments, phrases, capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert call(arguments, {}) == 2
    out, err = capfd.readouterr()
    assert out == ""
    for phrase in phrases:
        assert phrase in err
    assert "Traceback" not in err
    assert call([arguments[0], "--json", *arguments[1:]], {}) == 2
    document = json.loads(capfd.readouterr().out)
    assert document["exit_code"] == 2
    assert not list(tmp_path.iterdir())


def test_without_a_verb_the_help_is_shown(capfd):
    assert call([], {}) == 2
    assert "init" in "".join(capfd.readouterr())


def test_without_a_project_every_verb_says_where_it_looked(capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for arguments in (["run"], ["releases"], ["runs"], ["status"], ["serve"], ["show", "a@1"], ["promote", "a@1"]):
        assert call(arguments, {}) == 1
        err = capfd.readouterr().err
        assert "there is no project in ." in err
        assert "mainspring init" in err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "mainspring.toml").touch()
    (tmp_path / "model.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_project_has_nothing_to_show_and_says_what_to_do(project, capfd):
    for verb in ("releases", "runs", "status"):
        assert call([verb], {}) == 0
        assert "mainspring run" in capfd.readouterr().out
    assert call(["releases", "--json"], {}) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert call(["show", "adult@3", "--json"], {}) == 1
    assert json.loads(capfd.readouterr().out)["error"] == "UnknownRelease"
    assert call(["show", "abcdef"], {}) == 2
    assert call(["show", "no such thing"], {}) == 2


def test_a_broken_model_file_is_told_without_a_traceback(project, capfd):
    assert call(["run"], {}) == 1
    err = capfd.readouterr().err
    assert "model.py, line 1 raised ZeroDivisionError" in err
    assert "Traceback" not in err


def test_what_nobody_foresaw_is_a_bug_with_its_traceback(project, capfd, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("mainspring.project.open_project", fail)
    assert call(["releases", "--json"], {}) == 1
    out, err = capfd.readouterr()
    assert json.loads(out)["error"] == "Bug"
    assert "Traceback" in err
    assert "unforeseen" in err
    monkeypatch.setattr("mainspring.project.open_project", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert call(["releases"], {}) == 130
    assert "Traceback" not in capfd.readouterr().err
