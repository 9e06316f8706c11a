"""Makes the sinks that the settings name."""

from typing import TextIO

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.monitoring.sinks.alertmanager import AlertmanagerSink
from mainspring.monitoring.sinks.console import ConsoleSink
from mainspring.monitoring.sinks.file import FileSink
from mainspring.monitoring.sinks.port import Sink
from mainspring.monitoring.sinks.posting import Poster
from mainspring.monitoring.sinks.webhook import WebhookSink
from mainspring.settings_alerts import AlertSettings


def open_sinks(settings: AlertSettings, *, console: TextIO, clock: Clock = SYSTEM_CLOCK) -> list[Sink]:
    """One for each of `settings.sinks`."""
    sinks: list[Sink] = []
    if settings.console:
        sinks.append(ConsoleSink(console))
    if settings.file is not None:
        sinks.append(FileSink(settings.file))
    if settings.webhook_url is not None:
        sinks.append(WebhookSink(_poster(settings.webhook_url, settings), settings.webhook_format))
    if settings.alertmanager_url is not None:
        sinks.append(AlertmanagerSink(_poster(settings.alertmanager_url, settings), clock.now))
    return sinks


def _poster(url: str, settings: AlertSettings) -> Poster:
    return Poster(url, settings.allowed_hosts, settings.timeout)
