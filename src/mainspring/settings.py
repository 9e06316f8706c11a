"""`mainspring.toml` and the environment, read once into typed, frozen settings.

Every entry of the file can be overridden by an environment variable: `MAINSPRING_`, the section, the key, in
capitals (`[gateway] port` is `MAINSPRING_GATEWAY_PORT`, the top-level `name` is `MAINSPRING_NAME`). An empty file
is a complete one. Secrets never stand in the file: the gateway's token comes from `MAINSPRING_GATEWAY_TOKEN` or
from the file that `token_file` names, and `$NAME` inside a URL is taken from the environment.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.domain.budget import Budget
from mainspring.domain.durations import parse_duration
from mainspring.domain.feature_stream import FeatureStream
from mainspring.domain.scheduled_score import ScheduledScore
from mainspring.errors import DeclarationError, SettingsError
from mainspring.settings_alerts import AlertSettings, read_alerts
from mainspring.settings_entries import BOUNDS, CHOICES, ENTRIES, PREFIX, Entry
from mainspring.settings_expansion import Expansion
from mainspring.settings_scores import read_scores
from mainspring.settings_streams import read_streams
from mainspring.settings_token import holds_secret, read_token

FILE_NAME = "mainspring.toml"
SAGEMAKER: Mapping[str, Any] = {"host": "0.0.0.0", "port": 8080, "release": "/opt/ml/model"}  # noqa: S104
"""What SageMaker asks of a container."""
_LISTS = ("score", "stream")


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway listens and what it lets in. Times are in seconds.

    Attributes:
        max_requests_per_second: of each key; 0 for any number.
        access_log: answers that each worker logs in a second, at most.
        log_format: `auto`, `text` or `json`.
        tls_certificate, tls_key, tls_client_ca: files; the first two go together.
        default_model: answers where a path names no model.
        release: a release folder, or a folder of some, that is served without a project.
        trusted: the folder of public keys for `release`.
        platform: `none` or `sagemaker`.
        feature_timeout: that a request waits for the online store.
    """

    host: str
    port: int
    workers: int
    max_body_bytes: int
    max_header_bytes: int
    max_rows: int
    max_waiting: int
    read_timeout: float
    drain_timeout: float
    token: str | None = field(default=None, repr=False)
    max_connections: int = 4_096
    max_requests_per_second: int = 0
    access_log: int = 0
    log_format: str = "auto"
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    default_model: str | None = None
    release: Path | None = None
    trusted: Path | None = None
    platform: str = "none"
    memory_budget: int = 1_000_000_000
    shadow_memory: int = 2_000_000_000
    shadow_timeout: float = 10.0
    feature_timeout: float = 0.02

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the prediction log is kept.

    Attributes:
        durability: `batch`, `strict` or `off`.
        commit_every: seconds.
        keep_days: `None` for all.
    """

    durability: str = "batch"
    commit_every: float = 10.0
    commit_rows: int = 50_000
    keep_days: int | None = None
    max_spool_bytes: int = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything lives; relative places of the file are resolved against the project's folder.

    Attributes:
        workspace: the workspace's folder.
        budget: of a run that is given none.
        run_timeout: seconds after which a training or a score job that the controller started is ended.
        scores: jobs by schedule.
        streams: of rows for feature views.
        records_url, workflows_url: SQLAlchemy URLs.
        tables_url: a folder (absolute) or a cloud URL.
        features_url: of the online features.
        tracking_url, tracking_artifacts: MLflow's store and the place of its artifacts.
    """

    name: str
    workspace: Path
    records_url: str = field(repr=False)
    workflows_url: str = field(repr=False)
    tables_url: str
    features_url: str = field(repr=False)
    releases: Path
    tracking_url: str = field(repr=False)
    tracking_artifacts: str
    budget: Budget
    gateway: GatewaySettings
    log: LogSettings = field(default_factory=LogSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    run_timeout: float = 21_600.0
    scores: tuple[ScheduledScore, ...] = ()
    streams: tuple[FeatureStream, ...] = ()


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read `mainspring.toml` in `root` (an absent file is an empty one) and the environment.

    Raises:
        SettingsError: an unknown key, a value that makes no sense, a secret in the file.
    """
    root = root.absolute()
    document = _read_file(root / FILE_NAME)
    values = _merge(_entries_of(document), environ)
    workspace = _folder(root, values["workspace.path"])
    expand = Expansion(environ, FILE_NAME)
    features_url = expand.url("features.url", values, root) or _sqlite(workspace / "features.db")
    return Settings(
        name=values["name"] or root.resolve().name or "project",
        workspace=workspace,
        records_url=expand.url("records.url", values, root) or _sqlite(workspace / "records.db"),
        workflows_url=expand.url("workflows.url", values, root) or _sqlite(workspace / "dbos.db"),
        tables_url=_place(root, expand.text("tables.url", values)) or str(workspace / "tables"),
        features_url=features_url,
        releases=_folder(root, values["releases.path"] or str(workspace / "releases")),
        tracking_url=expand.url("tracking.url", values, root) or _sqlite(workspace / "mlflow.db"),
        tracking_artifacts=_place(root, expand.text("tracking.artifacts", values))
        or str(workspace / "mlartifacts"),
        budget=parse_budget(values["run.budget"], "run.budget"),
        run_timeout=_seconds("run.timeout", values),
        scores=read_scores(document.get("score", []), FILE_NAME),
        streams=read_streams(document.get("stream", []), FILE_NAME, expand, features_url),
        gateway=GatewaySettings(
            **_address(root, values),
            workers=values["gateway.workers"],
            max_body_bytes=values["gateway.max_body_bytes"],
            max_header_bytes=values["gateway.max_header_bytes"],
            max_rows=values["gateway.max_rows"],
            max_waiting=values["gateway.max_waiting"],
            read_timeout=_seconds("gateway.read_timeout", values),
            drain_timeout=_seconds("gateway.drain_timeout", values),
            default_model=values["gateway.default_model"],
            token=read_token(root, values["gateway.token_file"], environ),
            max_connections=values["gateway.max_connections"],
            max_requests_per_second=values["gateway.max_requests_per_second"],
            access_log=values["gateway.access_log"],
            log_format=values["gateway.log_format"],
            memory_budget=values["gateway.memory_budget"],
            shadow_memory=values["gateway.shadow_memory"],
            shadow_timeout=_seconds("gateway.shadow_timeout", values),
            feature_timeout=_seconds("features.timeout", values),
            **_tls(root, values),
        ),
        log=LogSettings(
            durability=values["log.durability"],
            commit_every=_seconds("log.commit_every", values),
            commit_rows=values["log.commit_rows"],
            keep_days=values["log.keep_days"] or None,
            max_spool_bytes=values["log.max_spool_bytes"],
        ),
        alerts=read_alerts(
            values,
            file=_place(root, values["alerts.file"]),
            webhook_url=expand.text("alerts.webhook_url", values),
            alertmanager_url=expand.text("alerts.alertmanager_url", values),
            timeout=_seconds("alerts.timeout", values),
        ),
    )


def parse_budget(text: str, name: str = "budget") -> Budget:
    """Read `120s`, `10m` or `20 trials`.

    Raises:
        SettingsError: neither a duration nor a number of trials, or nothing at all.

    Examples:
        >>> parse_budget("2m").seconds
        120.0
        >>> parse_budget("20 trials").trials
        20
    """
    found = re.fullmatch(r"\s*(\d+)\s*trials?\s*", text)
    if found and int(found[1]) > 0:
        return Budget(trials=int(found[1]))
    cure = "write a duration such as 120s or 10m, or a number of trials such as `20 trials`"
    try:
        seconds = parse_duration(text.strip()).total_seconds()
    except (DeclarationError, OverflowError):
        seconds = 0.0
    if seconds <= 0:
        raise SettingsError(f"{name} is {text!r}, which is no budget", cure=cure, where={"key": name})
    return Budget(seconds=seconds)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path.name} cannot be read: {error}",
            cure="mend that line; strings need quotes, sections stand in [brackets]",
            where={"file": path.name},
        ) from error
    except OSError as error:
        raise SettingsError(
            f"{path.name} cannot be read: {error.strerror}",
            cure="check what it is and who may read it",
            where={"file": path.name},
        ) from error


def _entries_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document's entries by their paths, typed; `[[score]]` and `[[stream]]` are read elsewhere."""
    found: dict[str, Any] = {}
    sections = {entry.section for entry in ENTRIES if entry.section}
    for key, value in document.items():
        if key in _LISTS:
            continue
        if key in sections:
            if not isinstance(value, dict):
                raise _wrong(key, value, f"is a section: write [{key}] on a line of its own")
            found.update({f"{key}.{inner}": content for inner, content in value.items()})
        else:
            found[key] = value
    known = {entry.path: entry for entry in ENTRIES}
    for path_of_key, value in found.items():
        if path_of_key == "gateway.token":
            raise SettingsError(
                f"{FILE_NAME} holds the gateway's token, and secrets must not stand in it",
                cure="take it out, and set MAINSPRING_GATEWAY_TOKEN, or name a file with token_file",
                where={"file": FILE_NAME, "key": path_of_key},
            )
        if path_of_key not in known:
            raise _unknown(path_of_key, [*known, *sections, *_LISTS])
        found[path_of_key] = _typed(known[path_of_key], value, FILE_NAME, path_of_key)
        if holds_secret(found[path_of_key]):
            raise SettingsError(
                f"{FILE_NAME}: {path_of_key} holds a password, and secrets must not stand in the file",
                cure="write $NAME in its place, e.g. postgresql+psycopg://me:$DB_PASSWORD@host/db, and set NAME "
                "in the environment",
                where={"file": FILE_NAME, "key": path_of_key},
            )
    return found


def _merge(found: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    variables = {entry.variable: entry for entry in ENTRIES}
    values = {entry.path: found.get(entry.path, entry.default) for entry in ENTRIES}
    own = {*variables, "MAINSPRING_GATEWAY_TOKEN"}
    for name, text in environ.items():
        if name in variables:
            values[variables[name].path] = _typed(variables[name], text, "the environment", name)
        elif name.startswith(PREFIX) and name not in own:
            # Only what is nearly one of ours: others (Kubernetes' service links, say) may share the prefix.
            near = difflib.get_close_matches(name, own, 1, 0.92)
            if near:
                raise SettingsError(
                    f"the environment variable {name} is not known",
                    cure=f"did you mean {near[0]}?",
                    where={"variable": name},
                )
    return values


def _typed(entry: Entry, value: Any, place: str, name: str) -> Any:
    if entry.kind is int and isinstance(value, str) and re.fullmatch(r"\s*\d{1,18}\s*", value):
        value = int(value)
    if entry.kind is str and isinstance(value, str):
        if not value.strip() and entry.default is not None:
            raise _wrong(name, value, f"must not be blank: {entry.about}", place)
        choices = CHOICES.get(entry.path)
        if choices and value not in choices:
            raise _wrong(name, value, f"must be one of: {', '.join(choices)}", place)
        return value if value.strip() else None
    if entry.kind is int and isinstance(value, int) and not isinstance(value, bool):
        low, high = BOUNDS[entry.path]
        if low <= value <= high:
            return value
        raise _wrong(name, value, f"must be from {low} to {high}", place)
    kind = "a whole number" if entry.kind is int else "a text in quotes"
    raise _wrong(name, value, f"must be {kind}: {entry.about}", place)


def _wrong(name: str, value: Any, why: str, place: str = FILE_NAME) -> SettingsError:
    return SettingsError(
        f"{place}: {name} = {value!r} {why}", cure="mend that entry", where={"file": place, "key": name}
    )


def _unknown(key: str, known: list[str]) -> SettingsError:
    known = [path for path in known if "." in path or "." not in key]  # not the section that it stands in
    near = difflib.get_close_matches(key, known, 1, 0.6)
    if not near:  # `port` at the top level, say, belongs into a section
        near = [path for path in known if path.rpartition(".")[2] == key.rpartition(".")[2]][:1]
    if not near:
        leaves = {path.rpartition(".")[2]: path for path in known}
        near = [leaves[leaf] for leaf in difflib.get_close_matches(key.rpartition(".")[2], leaves, 1)]
    section = [path for path in known if path.startswith(key.rpartition(".")[0] + ".")]
    cure = f"did you mean {near[0]}?" if near else f"use one of: {', '.join(sorted(section or known))}"
    return SettingsError(
        f"{FILE_NAME} has the unknown entry {key}", cure=cure, where={"file": FILE_NAME, "key": key}
    )


def _seconds(name: str, values: Mapping[str, Any]) -> float:
    try:
        seconds = parse_duration(values[name]).total_seconds()
    except (DeclarationError, OverflowError) as error:
        raise _wrong(name, values[name], "is no duration; write e.g. 10s") from error
    if not 0 < seconds <= 86_400:
        raise _wrong(name, values[name], "must be over 0s and at most 1d")
    return seconds


def _address(root: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Where the gateway listens and what it serves. A platform's contract stands in for what is not given."""
    release, trusted = (values[f"gateway.{name}"] for name in ("release", "trusted"))
    found: dict[str, Any] = {
        "host": values["gateway.host"],
        "port": values["gateway.port"],
        "platform": values["gateway.platform"],
    }
    if found["platform"] == "sagemaker":
        release = release or SAGEMAKER["release"]
        for name in ("host", "port"):
            if found[name] == next(entry.default for entry in ENTRIES if entry.path == f"gateway.{name}"):
                found[name] = SAGEMAKER[name]
    found["release"] = _folder(root, release) if release else None
    found["trusted"] = _folder(root, trusted) if trusted else None
    return found


def _tls(root: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    names = ("tls_certificate", "tls_key", "tls_client_ca")
    files = {name: _place(root, values[f"gateway.{name}"]) for name in names}
    for given, absent in zip(names, ("tls_key", "tls_certificate", "tls_certificate"), strict=True):
        if files[given] and not files[absent]:
            raise SettingsError(
                f"gateway.{given} is given, and gateway.{absent} is not",
                cure=f"name the file of gateway.{absent} too, or leave both out",
                where={"key": f"gateway.{absent}"},
            )
    return files


def _sqlite(path: Path) -> str:
    return f"sqlite:///{path}"


def _folder(root: Path, text: str) -> Path:
    return root / Path(text).expanduser()


def _place(root: Path, text: str | None) -> str | None:
    if text is None or "://" in text:
        return text
    return str(_folder(root, text))
