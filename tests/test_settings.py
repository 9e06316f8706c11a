import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import SettingsError
from mainspring.settings import ENTRIES, LogSettings, load_settings, parse_budget
from mainspring.settings_alerts import AlertSettings


def load(folder: Path, text: str | None = None, **environ: str):
    if text is not None:
        (folder / "mainspring.toml").write_text(text)
    return load_settings(folder, environ)


@pytest.mark.parametrize("text", [None, "", "[gateway]\n"])
def test_an_empty_file_is_a_complete_one(tmp_path, text):
    settings = load(tmp_path, text)
    assert settings.name == tmp_path.name
    assert settings.workspace == tmp_path / ".mainspring"
    assert settings.records_url == f"sqlite:///{tmp_path}/.mainspring/records.db"
    assert settings.tables_url == f"{tmp_path}/.mainspring/tables"
    assert settings.features_url == f"sqlite:///{tmp_path}/.mainspring/features.db"
    assert settings.releases == tmp_path / ".mainspring/releases"
    assert settings.tracking_url == f"sqlite:///{tmp_path}/.mainspring/mlflow.db"
    assert (settings.budget.seconds, settings.budget.trials) == (120.0, None)
    assert settings.gateway.is_loopback
    assert settings.gateway.token is None


def test_moving_the_workspace_moves_all_that_is_in_it(tmp_path):
    settings = load(tmp_path, '[workspace]\npath = "/var/lib/ms"\n')
    assert settings.records_url == "sqlite:////var/lib/ms/records.db"
    assert settings.releases == Path("/var/lib/ms/releases")


def test_the_environment_overrides_the_file(tmp_path):
    text = 'name = "a"\n[gateway]\nport = 9000\n[run]\nbudget = "20 trials"\n'
    settings = load(tmp_path, text, MAINSPRING_GATEWAY_PORT="9001", MAINSPRING_NAME="b")
    assert settings.gateway.port == 9001
    assert settings.name == "b"
    assert settings.budget.trials == 20


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.kind is int], ids=lambda e: e.path)
def test_a_wrong_variable_is_named(tmp_path, entry):
    with pytest.raises(SettingsError, match=f"{entry.variable} = 'many' must be a whole number"):
        load(tmp_path, "", **{entry.variable: "many"})


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("[gateway]\nprot = 1\n", ["gateway.prot", "did you mean gateway.port"]),
        ("port = 1\n", ["unknown entry port", "did you mean gateway.port"]),
        ("[log]\nprot = 1\n", ["log.prot", "did you mean gateway.port"]),
        ("[log]\nzzz = 1\n", ["log.zzz", "use one of: log.commit_every, "]),
        ("[gatway]\nport = 1\n", ["unknown entry gatway", "did you mean gateway"]),
        ("gateway = 3\n", ["gateway = 3 is a section"]),
        ("[gateway]\nport = 70000\n", ["gateway.port = 70000", "0 to 65535"]),
        ("[gateway]\nport = true\n", ["gateway.port = True", "whole number"]),
        ("[gateway]\nhost = 1\n", ["gateway.host = 1", "text in quotes"]),
        ('[gateway]\nread_timeout = "soon"\n', ["gateway.read_timeout = 'soon'", "no duration"]),
        ('[gateway]\ntoken = "0123456789abcdef0123"\n', ["token", "MAINSPRING_GATEWAY_TOKEN"]),
        ('[run]\nbudget = "0s"\n', ["run.budget is '0s'", "120s"]),
        ('[run]\nbudget = "0 trials"\n', ["run.budget"]),
        ('[records]\nurl = "postgresql+psycopg://me:geheim@db/x"\n', ["records.url", "password", "$NAME"]),
        ('[records]\nurl = "postgresql+psycopg://me:$PW@db/x"\n', ["$PW", "not set"]),
        ('[records]\nurl = "records.db"\n', ["records.url", "no URL"]),
        (
            '[alerts]\nwebhook_url = "https://hooks.slack.com/services/T0/B0/geheim"\n',
            ["alerts.webhook_url", "$NAME"],
        ),
        ('[alerts]\nwebhook_url = "ftp://geheim"\n', ["alerts.webhook_url is no URL of a web server"]),
        ('[alerts]\nwebhook_url = "https://x/$HOOK"\n', ["$HOOK, which is not set"]),
        ('[alerts]\nwebhook_format = "teams"\n', ["alerts.webhook_format = 'teams'", "json, slack"]),
        ('[alerts]\nallowed_hosts = "a.example http://b"\n', ["alerts.allowed_hosts has 'http://b'"]),
        ("[alerts]\nmax_per_hour = 0\n", ["alerts.max_per_hour = 0", "1 to"]),
        ('[alerts]\ntimeout = "0s"\n', ["alerts.timeout", "over 0s"]),
        ('[workspace]\npath = ""\n', ["workspace.path", "blank"]),
        ("[gateway\n", ["mainspring.toml cannot be read", "line 1"]),
    ],
)
def test_a_wrong_file_is_told_with_entry_and_cure(tmp_path, text, phrases):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    for phrase in phrases:
        assert phrase in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "0123456789" not in str(caught.value)
    assert "mainspring.toml" in str(caught.value) or caught.value.where


def test_a_misspelt_variable_is_told_and_a_stranger_is_not_ours(tmp_path):
    with pytest.raises(SettingsError, match="did you mean MAINSPRING_GATEWAY_PORT"):
        load(tmp_path, None, MAINSPRING_GATEWAY_PROT="1")
    load(tmp_path, None, MAINSPRING_GATEWAY_SERVICE_HOST="10.0.0.1", MAINSPRING_TEST_DATA="/data")


def test_passwords_come_from_the_environment_whatever_they_hold(tmp_path):
    from sqlalchemy import make_url

    text = '[records]\nurl = "postgresql+psycopg://me:$PW@db:5432/x"\n'
    settings = load(tmp_path, text, PW="p@ss:w/rd#1%")
    assert make_url(settings.records_url).password == "p@ss:w/rd#1%"
    assert make_url(settings.records_url).host == "db"
    assert "p@ss" not in repr(settings)
    whole = load(tmp_path, '[records]\nurl = "${DATABASE_URL}"\n', DATABASE_URL="postgresql://a:b@c/d")
    assert whole.records_url == "postgresql://a:b@c/d"


def test_a_relative_sqlite_url_is_in_the_project(tmp_path):
    assert load(tmp_path, '[records]\nurl = "sqlite:///r.db"\n').records_url == f"sqlite:///{tmp_path}/r.db"
    assert load(tmp_path, '[records]\nurl = "sqlite:////a/r.db"\n').records_url == "sqlite:////a/r.db"


def test_the_token_comes_from_a_file_or_the_environment(tmp_path):
    (tmp_path / "token").write_text("abcdefghijklmnop\n")
    settings = load(tmp_path, '[gateway]\ntoken_file = "token"\n')
    assert settings.gateway.token == "abcdefghijklmnop"
    assert "abcdefghijklmnop" not in repr(settings)
    assert load(tmp_path, None, MAINSPRING_GATEWAY_TOKEN="x" * 20).gateway.token == "x" * 20
    with pytest.raises(SettingsError, match="no good one"):
        load(tmp_path, None, MAINSPRING_GATEWAY_TOKEN="short")
    with pytest.raises(SettingsError, match="token file gone"):
        load(tmp_path, '[gateway]\ntoken_file = "gone"\n')


@given(st.text(max_size=30))
def test_any_text_is_a_budget_or_an_error(text):
    try:
        budget = parse_budget(text)
    except SettingsError:
        return
    assert (budget.seconds is None) != (budget.trials is None)


@given(st.binary(max_size=60))
def test_any_bytes_are_settings_or_an_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("p")
    (folder / "mainspring.toml").write_bytes(content)
    with contextlib.suppress(SettingsError):
        load_settings(folder, {})


def test_the_prediction_log_has_settings_of_its_own(tmp_path):
    assert load(tmp_path, "").log == LogSettings("batch", 10.0, 50_000, None, 2_000_000_000)
    text = '[log]\ndurability = "strict"\ncommit_every = "2s"\ncommit_rows = 100\nkeep_days = 30\n'
    assert load(tmp_path, text).log == LogSettings("strict", 2.0, 100, 30, 2_000_000_000)
    assert load(tmp_path, text, MAINSPRING_LOG_DURABILITY="off").log.durability == "off"


@pytest.mark.parametrize(
    ("entry", "phrase"),
    [
        ('durability = "maybe"', "log.durability = 'maybe'"),
        ('commit_every = "0s"', "log.commit_every"),
        ("keep_days = -1", "log.keep_days = -1"),
        ("commit_rows = 0", "log.commit_rows = 0"),
        ("max_spool_bytes = 10", "log.max_spool_bytes = 10"),
    ],
)
def test_a_wrong_entry_of_the_log_is_named(tmp_path, entry, phrase):
    with pytest.raises(SettingsError, match=re.escape(phrase)):
        load(tmp_path, f"[log]\n{entry}\n")


def test_alerts_have_settings_of_their_own(tmp_path: Path) -> None:
    assert load(tmp_path, "").alerts == AlertSettings()
    text = """
        [alerts]
        console = "off"
        file = "alerts.jsonl"
        webhook_url = "https://hooks.slack.com/services/$SLACK"
        webhook_format = "slack"
        alertmanager_url = "http://me:$PASSWORD@am:9093"
        allowed_hosts = "Hooks.Slack.com, *.example.com 10.0.0.0/8 ::1"
        budget_per_week = 2
        max_per_hour = 6
        timeout = "3s"
    """
    alerts = load(tmp_path, text, SLACK="T0/B0/geheim", PASSWORD="geheim").alerts
    assert alerts == AlertSettings(
        console=False,
        file=tmp_path / "alerts.jsonl",
        webhook_url="https://hooks.slack.com/services/T0/B0/geheim",
        webhook_format="slack",
        alertmanager_url="http://me:geheim@am:9093",
        allowed_hosts=("hooks.slack.com", "*.example.com", "10.0.0.0/8", "::1"),
        budget_per_week=2,
        max_per_hour=6,
        timeout=3.0,
    )
    assert "geheim" not in repr(alerts)
    assert load(tmp_path, "", MAINSPRING_ALERTS_WEBHOOK_URL="https://a.example/").alerts.sinks == (
        "console",
        "webhook",
    )


def test_sagemakers_contract_stands_in_for_what_is_not_given(tmp_path: Path) -> None:
    plain = load(tmp_path, None).gateway
    assert (plain.platform, plain.release, plain.trusted, plain.default_model) == ("none", None, None, None)
    asked = load(tmp_path, None, MAINSPRING_GATEWAY_PLATFORM="sagemaker").gateway
    assert (asked.host, asked.port, asked.release) == ("0.0.0.0", 8080, Path("/opt/ml/model"))
    text = '[gateway]\nplatform = "sagemaker"\nport = 9000\nrelease = "model"\ntrusted = "keys"\n'
    given = load(tmp_path, text).gateway
    assert (given.port, given.release, given.trusted) == (9000, tmp_path / "model", tmp_path / "keys")
    with pytest.raises(SettingsError, match="must be one of: none, sagemaker"):
        load(tmp_path, None, MAINSPRING_GATEWAY_PLATFORM="vertex")


def test_the_gateways_certificate_and_key_go_together(tmp_path):
    text = '[gateway]\ntls_certificate = "tls/a.crt"\ntls_key = "tls/a.key"\n'
    gateway = load(tmp_path, text, MAINSPRING_GATEWAY_TLS_CLIENT_CA="/ca.crt").gateway
    assert gateway.tls_certificate == str(tmp_path / "tls/a.crt")
    assert gateway.tls_key == str(tmp_path / "tls/a.key")
    assert gateway.tls_client_ca == "/ca.crt"
    for entry, absent in (
        ('tls_certificate = "a"', "gateway.tls_key is not"),
        ('tls_key = "a"', "gateway.tls_certificate is not"),
        ('tls_client_ca = "a"', "gateway.tls_certificate is not"),
    ):
        with pytest.raises(SettingsError, match=absent):
            load(tmp_path, f"[gateway]\n{entry}\n")


def test_the_format_of_the_gateways_log(tmp_path):
    assert load(tmp_path, "").gateway.log_format == "auto"
    assert load(tmp_path, '[gateway]\nlog_format = "json"\n').gateway.log_format == "json"
    with pytest.raises(SettingsError, match="log_format = 'xml' must be one of: auto, text, json"):
        load(tmp_path, '[gateway]\nlog_format = "xml"\n')


def test_limits_of_the_gateway(tmp_path):
    text = "[gateway]\nmax_connections = 10\nmax_requests_per_second = 5\naccess_log = 3\n"
    gateway = load(tmp_path, text).gateway
    assert (gateway.max_connections, gateway.max_requests_per_second, gateway.access_log) == (10, 5, 3)
    for entry in ("max_connections = 0", "max_requests_per_second = -1", "access_log = 10001"):
        with pytest.raises(SettingsError, match="must be from"):
            load(tmp_path, f"[gateway]\n{entry}\n")
