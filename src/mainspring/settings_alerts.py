"""The section `[alerts]`: who is told when a monitor finds something bad."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mainspring.errors import SettingsError

_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Where alerts go, and how many of them.

    Attributes:
        file: each alert becomes a line of JSON in it.
        webhook_format: `json` or `slack`.
        allowed_hosts: names, `*.names`, addresses and networks; empty for every public address.
        budget_per_week: how many alerts people read.
        max_per_hour: how many messages the webhook gets.
        timeout: seconds that one sending may take.
    """

    console: bool = True
    file: Path | None = None
    webhook_url: str | None = field(default=None, repr=False)
    webhook_format: str = "json"
    alertmanager_url: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    budget_per_week: int = 5
    max_per_hour: int = 20
    timeout: float = 10.0

    @property
    def sinks(self) -> tuple[str, ...]:
        """The names of those that are configured."""
        configured = {
            "console": self.console,
            "file": self.file,
            "webhook": self.webhook_url,
            "alertmanager": self.alertmanager_url,
        }
        return tuple(name for name, given in configured.items() if given)


def read_alerts(
    values: Mapping[str, Any],
    *,
    file: str | None,
    webhook_url: str | None,
    alertmanager_url: str | None,
    timeout: float,
) -> AlertSettings:
    """The section from the entries' values; places and URLs come resolved.

    Raises:
        SettingsError: a URL that is none, or a host that is none.
    """
    for name, url in (("alerts.webhook_url", webhook_url), ("alerts.alertmanager_url", alertmanager_url)):
        if url is not None and not _is_web(url):
            raise SettingsError(  # the URL may hold a secret, and is not shown
                f"{name} is no URL of a web server",
                cure="write http://… or https://…",
                where={"key": name},
            )
    return AlertSettings(
        console=values["alerts.console"] == "on",
        file=None if file is None else Path(file),
        webhook_url=webhook_url,
        webhook_format=values["alerts.webhook_format"],
        alertmanager_url=alertmanager_url,
        allowed_hosts=_hosts(values["alerts.allowed_hosts"] or ""),
        budget_per_week=values["alerts.budget_per_week"],
        max_per_hour=values["alerts.max_per_hour"],
        timeout=timeout,
    )


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(re.split(r"[\s,]+", text.strip().lower())) if text.strip() else ()
    for host in hosts:
        if not _NAME.fullmatch(host) and not _is_network(host):
            raise SettingsError(
                f"alerts.allowed_hosts has {host!r}, which is no host",
                cure="write names, *.names, addresses or networks, e.g. `hooks.slack.com 10.0.0.0/8`",
                where={"key": "alerts.allowed_hosts"},
            )
    return hosts


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
