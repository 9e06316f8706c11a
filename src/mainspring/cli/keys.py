"""`mainspring keys`: create, list and revoke the keys by which others may ask the gateway."""

from typing import Annotated

import typer

from mainspring.cli.session import Session, verb
from mainspring.domain.access import Role

app = typer.Typer(
    name="keys", help="Create, list and revoke the gateway's keys.", no_args_is_help=True, rich_markup_mode=None
)


def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose or what the key is for.")],
    role: Annotated[
        list[Role],
        typer.Option(
            "--role", metavar="ROLE", help=f"What it allows: {', '.join(Role)}; may be given more than once."
        ),
    ],
    expires: Annotated[
        str | None, typer.Option(metavar="DURATION", help="When it ends, e.g. 90d; never where not given.")
    ] = None,
) -> None:
    """Create a key and show its secret, once.

    From the first key on, requests need one, on this machine too.
    """
    from mainspring.domain.durations import parse_duration
    from mainspring.errors import UsageError
    from mainspring.serving.keys import make_key

    with session.workspace() as workspace:
        now = workspace.clock.now()
        try:
            expires_at = None if expires is None else now + parse_duration(expires)
        except OverflowError as error:
            raise UsageError(f"--expires {expires} is beyond all calendars", cure="give e.g. 90d") from error
        key, secret = make_key(name, role, now=now, expires_at=expires_at)
        first = not workspace.records.api_keys()
        workspace.records.add_key(key, actor=session.actor)
    session.output.document(
        {"id": key.id, "name": key.name, "roles": key.roles, "expires_at": expires_at, "secret": secret}
    )
    session.output.line(secret)
    session.output.note(
        f"This is all there will ever be of the secret of {key.name}: keep it. Send it as "
        "`Authorization: Bearer …`; running gateways know it within a second."
    )
    if first:
        session.output.note("It is the first key: from now on requests need one, on this machine too.")


def list_keys(session: Session) -> None:
    """List the keys, the revoked ones too; secrets are not kept."""
    from mainspring.cli.plain import when

    with session.workspace() as workspace:
        keys, now = workspace.records.api_keys(), workspace.clock.now()
    session.output.document(
        {
            "keys": [
                {
                    "id": key.id,
                    "name": key.name,
                    "roles": key.roles,
                    "state": key.state(now),
                    "created_at": key.created_at,
                    "expires_at": key.expires_at,
                    "revoked_at": key.revoked_at,
                }
                for key in keys
            ]
        }
    )
    if not keys:
        session.output.line("There are no keys; on this machine none is needed until there is one.")
        return
    session.output.table(
        ["id", "name", "roles", "state", "created", "expires"],
        [
            [
                key.id,
                key.name,
                ", ".join(key.roles),
                key.state(now),
                when(key.created_at),
                "never" if key.expires_at is None else when(key.expires_at),
            ]
            for key in keys
        ],
    )


def revoke(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's name, or its id.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the audit.")] = "by hand",
) -> None:
    """Take a key back; running gateways refuse it within a second."""
    with session.workspace() as workspace:
        key = workspace.records.revoke_key(name, actor=session.actor, reason=reason)
        now = workspace.clock.now()
        left = any(other.state(now) == "live" for other in workspace.records.api_keys())
    session.output.document({"id": key.id, "name": key.name, "revoked_at": key.revoked_at})
    session.output.line(f"{key.name} ({key.id}) is revoked.")
    if not left:
        session.output.note(
            "No key is live now, and requests still need one; make one with: mainspring keys create NAME --role …"
        )


for _name, _verb in (("create", create), ("list", list_keys), ("revoke", revoke)):
    app.command(_name)(verb(_verb))
