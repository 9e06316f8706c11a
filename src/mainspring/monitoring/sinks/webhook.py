"""Posts alerts to a webhook: as a document of ours, or in the shape that Slack reads."""

from typing import Any

from mainspring.domain.alert import Event, EventKind
from mainspring.monitoring.alerts.document import document
from mainspring.monitoring.alerts.wording import describe, details, headline, next_steps, when
from mainspring.monitoring.sinks.posting import Poster

_SLACK_CAUSES = 5  # a message is read in a chat; the rest is behind its command
_SLACK_TEXT = 2_900  # Slack takes 3,000 characters a block


class WebhookSink:
    """Args:
    form: `json` or `slack`.
    """

    name = "webhook"
    is_limited = True

    def __init__(self, poster: Poster, form: str = "json") -> None:
        self._poster = poster
        self._form = form

    def send(self, event: Event, *, key: str) -> None:
        body = slack(event) if self._form == "slack" else document(event)
        self._poster.post(body, {"Idempotency-Key": key})


def slack(event: Event) -> dict[str, Any]:
    """The event as Slack's incoming webhooks take it (also Mattermost's and Rocket.Chat's, by `text`)."""
    alert = event.alert
    lines = [f"*{_escaped(headline(event))}*"]
    if event.kind is not EventKind.RESOLVED:
        for cause in alert.causes[:_SLACK_CAUSES]:
            lines.append(f"• {_escaped(describe(cause))}")
            lines += [f"    {_escaped(line)}" for line in details(cause)]
        left_out = max(0, len(alert.causes) - _SLACK_CAUSES) + event.more
        if left_out:
            lines.append(f"• and {left_out} more")
        lines.append(f"since {when(alert.since)}" + (f", for {_escaped(alert.owner)}" if alert.owner else ""))
    lines += [f"`{_escaped(step)}`" for step in (f"mainspring alerts show {alert.id}", *next_steps(alert))]
    text = "\n".join(lines)
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SLACK_TEXT]}}
    return {"text": _escaped(headline(event)), "blocks": [block]}


def _escaped(text: str) -> str:
    """As Slack asks, so that no value becomes a link or calls a channel; the marks of its format are broken."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"{c}\u200b" if c in "*`~" else c for c in text)
