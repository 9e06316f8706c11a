"""`mainspring VERB`. Each verb is a file of its own and imports what it needs when it runs.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a gate, 130 interrupted.
"""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import typer

import mainspring
from mainspring.cli.arguments import spread
from mainspring.cli.output import INTERRUPTED, Output
from mainspring.cli.session import Call, verb
from mainspring.errors import MainspringError, UsageError
from mainspring.quiet import be_quiet

# In the order in which a newcomer meets them; each is the function of its name in the module of its name.
_VERBS = (
    "init", "run", "adopt", "serve", "up", "predict", "score", "feedback", "status", "releases", "runs", "show",
    "compare", "simulate", "promote", "rollback", "pause", "resume", "reject", "traffic", "history", "reproduce",
    "demo",
)  # fmt: skip
_GROUPS = ("keys", "monitor", "alerts", "features")  # verbs with verbs of their own: the `app` in the module


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"mainspring {mainspring.__version__}\n")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def _app(arguments: Sequence[str]) -> typer.Typer:
    """The command line: all verbs, or only the one that is asked for, since importing all of them takes longer
    than many a verb does."""
    app = typer.Typer(
        name="mainspring",
        help="Puts machine-learning models into production and keeps them right.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a gate. Start with: mainspring demo",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # its help pages take longer to import than everything else
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    every = (*_VERBS, *_GROUPS)
    asked = [name for name in every if name in arguments[:1]]
    for name in asked or every:
        module = import_module(f"mainspring.cli.{name}")
        if name in _GROUPS:
            app.add_typer(module.app)
        else:
            app.command()(verb(getattr(module, name)))
    return app


def call(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one verb and return its exit code; every error has been told by then."""
    arguments = spread(arguments)
    before_dashes = arguments[: arguments.index("--")] if "--" in arguments else arguments
    with Output(as_json="--json" in before_dashes) as output:
        try:
            code = _app(arguments)(
                args=arguments, standalone_mode=False, obj=Call(output, environ), prog_name="mainspring"
            )
            return code if isinstance(code, int) else 0
        except MainspringError as error:
            return output.error(error)
        except (KeyboardInterrupt, typer.Abort):
            output.document({"error": "Interrupted", "message": "interrupted", "exit_code": INTERRUPTED})
            output.note("interrupted")
            return INTERRUPTED
        except BrokenPipeError:  # the reader (`| head`) has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as error:
            if hasattr(error, "format_message"):  # what the parser of the command line raises
                return _wrong_usage(output, error)
            return output.bug(error)


def _wrong_usage(output: Output, error: Any) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mainspring"
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(str(error.format_message()) + "\n")
        return UsageError.exit_code
    return output.error(
        UsageError(" ".join(str(error.format_message()).split()).rstrip(".,"), cure=f"see {path} --help")
    )


def main() -> NoReturn:
    """The command `mainspring`."""
    be_quiet()  # before the user's code may import what would call home
    gc.set_threshold(100_000, 20, 100)  # importing makes many objects, and none of them is garbage
    code = call(sys.argv[1:], os.environ)
    gc.freeze()  # the interpreter would look through all that was imported once more before it ends
    sys.exit(code)
