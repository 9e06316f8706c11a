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
from urllib.parse import quote

from mainspring.domain.budget import Budget
from mainspring.domain.durations import parse_duration
from mainspring.errors import DeclarationError, SettingsError

FILE_NAME = "mainspring.toml"
_PREFIX = "MAINSPRING_"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the settings, as people write it."""

    section: str
    key: str
    kind: type
    default: Any
    about: str
    example: str = ""  # where the default follows from the other entries

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return _PREFIX + "_".join(part.upper() for part in (self.section, self.key) if part)

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}" if self.section else self.key


ENTRIES: tuple[Entry, ...] = (
    Entry("", "name", str, None, "the project's name; the folder's where not given"),
    Entry("workspace", "path", str, ".mainspring", "where the project's state lives"),
    Entry(
        "records",
        "url",
        str,
        None,
        "the records database: a SQLite or PostgreSQL URL",
        "sqlite:///.mainspring/records.db",
    ),
    Entry(
        "tables",
        "url",
        str,
        None,
        "where the Delta tables live: a folder or s3://, gs://, az://",
        ".mainspring/tables",
    ),
    Entry("releases", "path", str, None, "the folder of the release folders", ".mainspring/releases"),
    Entry("tracking", "url", str, None, "the MLflow tracking store", "sqlite:///.mainspring/mlflow.db"),
    Entry("tracking", "artifacts", str, None, "where MLflow keeps its artifacts", ".mainspring/mlartifacts"),
    Entry("workflows", "url", str, None, "the database of the durable workflows", "sqlite:///.mainspring/dbos.db"),
    Entry("run", "budget", str, "120s", "how long one run tunes: a duration, or `20 trials`"),
    Entry("gateway", "host", str, "127.0.0.1", "the address to listen on; any but loopback needs a token"),
    Entry("gateway", "port", int, 8000, "the port to listen on; 0 takes a free one"),
    Entry("gateway", "workers", int, 1, "how many worker processes answer"),
    Entry("gateway", "token_file", str, None, "the file that holds the token requests must carry", "token"),
    Entry("gateway", "max_body_bytes", int, 10_000_000, "a larger request body is refused"),
    Entry("gateway", "max_header_bytes", int, 16_384, "larger request headers are refused"),
    Entry("gateway", "max_rows", int, 10_000, "a request with more rows is refused"),
    Entry("gateway", "max_waiting", int, 1_000, "requests above this number waiting at once are refused"),
    Entry("gateway", "read_timeout", str, "10s", "how long a client may take to send its request"),
    Entry("gateway", "drain_timeout", str, "10s", "how long open requests may take to end at shutdown"),
)

_BOUNDS: dict[str, tuple[int, int]] = {
    "gateway.port": (0, 65_535),
    "gateway.workers": (1, 256),
    "gateway.max_body_bytes": (1_000, 2**31 - 1),
    "gateway.max_header_bytes": (1_024, 1_048_576),
    "gateway.max_rows": (1, 1_000_000),
    "gateway.max_waiting": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway listens and what it lets in. Times are in seconds."""

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

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything lives; relative places of the file are resolved against the project's folder.

    Attributes:
        workspace: the workspace's folder.
        budget: of a run that is given none.
        records_url, workflows_url: SQLAlchemy URLs.
        tables_url: a folder (absolute) or a cloud URL.
        tracking_url, tracking_artifacts: MLflow's store and the place of its artifacts.
    """

    name: str
    workspace: Path
    records_url: str = field(repr=False)
    workflows_url: str = field(repr=False)
    tables_url: str
    releases: Path
    tracking_url: str = field(repr=False)
    tracking_artifacts: str
    budget: Budget
    gateway: GatewaySettings


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read `mainspring.toml` in `root` (an absent file is an empty one) and the environment.

    Raises:
        SettingsError: an unknown key, a value that makes no sense, a secret in the file.
    """
    root = root.absolute()
    values = _merge(_read_file(root / FILE_NAME), environ)
    workspace = _folder(root, values["workspace.path"])
    expand = _Expansion(environ)
    return Settings(
        name=values["name"] or root.resolve().name or "project",
        workspace=workspace,
        records_url=expand.url("records.url", values, root) or _sqlite(workspace / "records.db"),
        workflows_url=expand.url("workflows.url", values, root) or _sqlite(workspace / "dbos.db"),
        tables_url=_place(root, expand.text("tables.url", values)) or str(workspace / "tables"),
        releases=_folder(root, values["releases.path"] or str(workspace / "releases")),
        tracking_url=expand.url("tracking.url", values, root) or _sqlite(workspace / "mlflow.db"),
        tracking_artifacts=_place(root, expand.text("tracking.artifacts", values))
        or str(workspace / "mlartifacts"),
        budget=parse_budget(values["run.budget"], "run.budget"),
        gateway=GatewaySettings(
            host=values["gateway.host"],
            port=values["gateway.port"],
            workers=values["gateway.workers"],
            max_body_bytes=values["gateway.max_body_bytes"],
            max_header_bytes=values["gateway.max_header_bytes"],
            max_rows=values["gateway.max_rows"],
            max_waiting=values["gateway.max_waiting"],
            read_timeout=_seconds("gateway.read_timeout", values),
            drain_timeout=_seconds("gateway.drain_timeout", values),
            token=_token(root, values["gateway.token_file"], environ),
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
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
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
    found: dict[str, Any] = {}
    sections = {entry.section for entry in ENTRIES if entry.section}
    for key, value in document.items():
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
            raise _unknown(path_of_key, [*known, *sections])
        found[path_of_key] = _typed(known[path_of_key], value, FILE_NAME, path_of_key)
        if _holds_password(found[path_of_key]):
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
        elif name.startswith(_PREFIX) and name not in own:
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
        return value if value.strip() else None
    if entry.kind is int and isinstance(value, int) and not isinstance(value, bool):
        low, high = _BOUNDS[entry.path]
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
    near = difflib.get_close_matches(key, known, 1, 0.6)
    if not near:  # `port` at the top level, say, belongs into a section
        near = [path for path in known if path.rpartition(".")[2] == key.rpartition(".")[2]][:1]
    cure = f"did you mean {near[0]}?" if near else f"use one of: {', '.join(sorted(p for p in known if p))}"
    return SettingsError(
        f"{FILE_NAME} has the unknown entry {key}", cure=cure, where={"file": FILE_NAME, "key": key}
    )


def _holds_password(value: Any) -> bool:
    found = re.match(r"[\w+.-]+://[^/@\s]*?:([^@/\s]+)@", value) if isinstance(value, str) else None
    return bool(found and not found[1].startswith("$"))


def _seconds(name: str, values: Mapping[str, Any]) -> float:
    try:
        seconds = parse_duration(values[name]).total_seconds()
    except (DeclarationError, OverflowError) as error:
        raise _wrong(name, values[name], "is no duration; write e.g. 10s") from error
    if not 0 < seconds <= 86_400:
        raise _wrong(name, values[name], "must be over 0s and at most 1d")
    return seconds


def _token(root: Path, token_file: str | None, environ: Mapping[str, str]) -> str | None:
    given = environ.get("MAINSPRING_GATEWAY_TOKEN")
    if given is not None:
        source, text = "MAINSPRING_GATEWAY_TOKEN", given.strip()
    elif token_file is not None:
        source = token_file
        try:
            text = (root / token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the token file {token_file} cannot be read: {getattr(error, 'strerror', None) or error}",
                cure="write the token into that file, or set MAINSPRING_GATEWAY_TOKEN",
                where={"file": token_file, "key": "gateway.token_file"},
            ) from error
    else:
        return None
    if len(text) < 16 or not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError(
            f"the token in {source} is no good one",
            cure="use 16 or more printable ASCII characters without blanks, e.g. from `openssl rand -hex 32`",
            where={"key": source},
        )
    return text


def _sqlite(path: Path) -> str:
    return f"sqlite:///{path}"


def _folder(root: Path, text: str) -> Path:
    return root / Path(text).expanduser()


def _place(root: Path, text: str | None) -> str | None:
    if text is None or "://" in text:
        return text
    return str(_folder(root, text))


class _Expansion:
    """Puts `$NAME` and `${NAME}` of the environment into URLs."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, values: Mapping[str, Any]) -> str | None:
        value: str | None = values[name]
        if value is None:
            return None

        def replace(found: re.Match[str]) -> str:
            variable = found[1] or found[2]
            if variable not in self._environ:
                raise SettingsError(
                    f"{name} names ${variable}, which is not set",
                    cure=f"set {variable} in the environment",
                    where={"file": FILE_NAME, "key": name, "variable": variable},
                )
            text = self._environ[variable]
            # A whole URL stands as it is; a part of one (a password with an @, say) must not break the rest.
            return text if found[0] == value else quote(text, safe=":/.-_~")

        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", replace, value)

    def url(self, name: str, values: Mapping[str, Any], root: Path) -> str | None:
        value = self.text(name, values)
        if value is None:
            return None
        if "://" not in value:
            raise _wrong(
                name, values[name], "is no URL; write e.g. sqlite:///records.db or postgresql+psycopg://…"
            )
        scheme, _, rest = value.partition("://")
        if scheme.partition("+")[0] == "sqlite" and rest.startswith("/") and not rest.startswith("//"):
            return f"{scheme}:///{root / rest[1:]}"  # three slashes and a relative path: the project's folder
        return value
