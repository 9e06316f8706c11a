"""A URL opens its store; a gateway worker needs nothing heavy for it."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mainspring.domain.ports_features import OnlineStore
from mainspring.errors import SettingsError, StoreError
from mainspring.features.online.opening import open_online
from mainspring.settings import load_settings
from mainspring.testing.contracts.online import ADS, numbered
from mainspring.workspace import Workspace


def test_the_workspace_has_a_file_of_its_own(tmp_path: Path) -> None:
    with Workspace(load_settings(tmp_path, {})) as workspace:
        workspace.online.write(ADS, numbered(0, 2), fence=1)
        assert workspace.online is workspace.online
    assert (tmp_path / ".mainspring" / "features.db").exists()
    with Workspace(load_settings(tmp_path, {})) as again:
        assert again.online.count(ADS) == 2


@pytest.mark.parametrize("place", ["features.db", "a folder/f%20x.db"])
def test_the_settings_name_a_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "mainspring.toml").write_text(f'[features]\nurl = "sqlite:///{place}"\n')
    settings = load_settings(tmp_path, {})
    with closing(open_online(settings.features_url)) as store:
        assert store.count(ADS) == 0
    assert (tmp_path / place.replace("%20", " ")).exists()


def test_the_environment_names_a_server_and_its_password(tmp_path: Path) -> None:
    environ = {"MAINSPRING_FEATURES_URL": "redis://:$SECRET@host/3", "SECRET": "a b"}
    settings = load_settings(tmp_path, environ)
    assert settings.features_url == "redis://:a%20b@host/3"
    assert "a%20b" not in repr(settings)
    (tmp_path / "mainspring.toml").write_text('[features]\nurl = "redis://:geheim@host/3"\n')
    with pytest.raises(SettingsError, match="holds a password"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    "url", ["", "features.db", "sqlite://", "sqlite:///", "mysql://me:geheim@host/db", "redis"]
)
def test_a_url_that_names_no_store_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(SettingsError, match=r"names no online store.*features\.url") as caught:
        open_online(url)
    assert "geheim" not in str(caught.value)


def test_without_the_client_of_redis_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(StoreError, match=r"pip install 'mainspring\[redis\]'"):
        open_online("redis://host/0")


@pytest.mark.parametrize("url", ["sqlite:///{folder}/features.db", "memory://"])
def test_a_worker_loads_nothing_heavy(tmp_path: Path, url: str) -> None:
    script = (
        "import sys\n"
        "from mainspring.features import vectors, keys\n"
        "from mainspring.features.online.opening import open_online\n"
        "store = open_online(sys.argv[1], timeout=1.0)\n"
        "assert store.read([('v-0', [b'a'])]) == [[None]]\n"
        "store.close()\n"
        "heavy = {'polars', 'pandas', 'pyarrow', 'sqlalchemy', 'sklearn', 'scipy', 'deltalake', 'redis'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, url.format(folder=tmp_path)], check=True)


def test_every_store_keeps_the_port() -> None:
    store: OnlineStore = open_online("memory://")
    store.write(ADS, numbered(0, 1), fence=0)
    assert store.read([(ADS, [b"key0"])]) == [[b"v0"]]
