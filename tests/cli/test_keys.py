"""`mainspring keys`: what is shown once, what is listed, and what is never kept."""

import json
import re
from pathlib import Path

import pytest

from mainspring.cli.main import call
from mainspring.serving.keys import proves
from mainspring.settings import load_settings
from mainspring.stores.records import SqlRecords

ENVIRONMENT = {"USER": "ana"}


@pytest.fixture
def keys(tmp_path: Path, capfd):
    (tmp_path / "mainspring.toml").write_text('name = "shop"\n')

    def run(*arguments: str, as_json: bool = True):
        given = ["keys", *arguments, "--project", str(tmp_path), *(["--json"] if as_json else [])]
        code = call(given, ENVIRONMENT)
        streams = capfd.readouterr()
        return code, json.loads(streams.out) if as_json else streams.out, streams.err

    return run


def test_a_key_from_its_making_to_its_end(keys, tmp_path: Path) -> None:
    code, made, said = keys("create", "web", "--role", "predict", "--role", "feedback", "--expires", "90d")
    assert code == 0
    assert re.fullmatch(rf"ms_{made['id']}_[\w-]{{43}}", made["secret"])
    assert made["roles"] == ["predict", "feedback"]
    assert "first key" in said
    assert "first key" not in keys("create", "ops", "--role", "admin")[2]

    code, listed, _ = keys("list")
    assert code == 0
    assert [(key["name"], key["state"]) for key in listed["keys"]] == [("ops", "live"), ("web", "live")]
    assert "secret" not in json.dumps(listed)
    assert "digest" not in json.dumps(listed)

    code, _, said = keys("revoke", "web", "--reason", "it leaked")
    assert (code, said) == (0, ""), "another key is live"
    assert [key["state"] for key in keys("list")[1]["keys"]] == ["live", "revoked"]

    records = SqlRecords(load_settings(tmp_path, {}).records_url)
    stored = {key.name: key for key in records.api_keys()}
    audit = [(change["alias"], change["actor"], change["reason"]) for change in records.audit()]
    records.close()
    assert proves(made["secret"].encode(), stored["web"].digest)
    assert audit[0] == ("key web", "ana", "revoked: it leaked")
    assert audit[2][0:2] == ("key web", "ana")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert made["secret"].split("_", 2)[2].encode() not in file.read_bytes(), file


def test_what_people_see(keys) -> None:
    assert "There are no keys" in keys("list", as_json=False)[1]
    code, out, said = keys("create", "web", "--role", "predict", as_json=False)
    assert code == 0
    assert re.fullmatch(r"ms_[0-9a-f]{12}_[\w-]{43}\n", out), "the secret alone, so that it can be piped"
    assert "keep it" in said
    out = keys("list", as_json=False)[1]
    assert re.search(r"web\s+predict\s+live\s+\S+ \S+\s+never", out)
    _, out, said = keys("revoke", "web", as_json=False)
    assert "is revoked" in out
    assert "mainspring keys create" in said, "nobody gets in any more"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "../x", "--role", "read"], "no name for a key"),
        (["create", "web", "--role", "boss"], "boss"),
        (["create", "web"], "--role"),
        (["create", "web", "--role", "read", "--expires", "0s"], "expired before"),
        (["create", "web", "--role", "read", "--expires", "99999999999d"], "beyond"),
        (["revoke", "nosuch"], "no key 'nosuch'"),
    ],
)
def test_wrong_use(keys, arguments: list[str], said: str) -> None:
    code, document, _ = keys(*arguments)
    assert code == 2
    assert said in document["message"]
    assert not {"\t", "\n"} & set(document["message"])
    assert keys("list")[1]["keys"] == []


def test_a_duration_that_is_none(keys) -> None:
    code, document, _ = keys("create", "web", "--role", "read", "--expires", "soon")
    assert code == 1
    assert "no" in document["message"]
    assert "90s" in document["cure"]


def test_two_live_keys_of_one_name(keys) -> None:
    assert keys("create", "web", "--role", "read")[0] == 0
    code, document, _ = keys("create", "web", "--role", "read")
    assert (code, document["where"]) == (2, {"key": "web"})
