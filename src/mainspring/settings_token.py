"""Secrets, which never stand in `mainspring.toml`: the gateway's token, and what is secret in a URL."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.errors import SettingsError


def read_token(root: Path, token_file: str | None, environ: Mapping[str, str]) -> str | None:
    """The token of the environment, else of the file; `None` where neither is given.

    Raises:
        SettingsError: a file that cannot be read, or a token that can be guessed or not be sent.
    """
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


def holds_secret(value: Any) -> bool:
    """Whether the value of an entry is a URL with a secret in clear: a password, or the path of Slack's webhooks.

    Examples:
        >>> holds_secret("postgresql://me:geheim@db/x"), holds_secret("postgresql://me:$PASSWORD@db/x")
        (True, False)
        >>> slack = "https://hooks.slack.com/services/"
        >>> holds_secret(slack + "T0/B0/x"), holds_secret(slack + "$SLACK")
        (True, False)
    """
    if not isinstance(value, str):
        return False
    found = re.match(r"[\w+.-]+://[^/@\s]*?:([^@/\s]+)@", value)
    is_slack = re.match(r"https?://hooks\.slack\.com/(?!services/\$|\$)\S", value)
    return bool(is_slack or (found and not found[1].startswith("$")))
