"""`rsprep`: maps names to functions, errors to exit codes."""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer
from rich.console import Console

from rsprep import __version__
from rsprep.cli import (
    build,
    cloud_masks,
    dataset,
    maskmix,
    occlude,
    recipe,
    semantic_masks,
    simulate,
    simulate_views,
    sources,
)
from rsprep.errors import InputError, RsprepError

STOPPED = 130
Usage: type[Exception] = typer.BadParameter.__mro__[2]
"""Base of the errors in options and arguments; reached this way since typer carries a copy of click of its own."""

app = typer.Typer(
    name="rsprep",
    help="Prepare remote-sensing training data: chips of Sentinel-1, Sentinel-2, land cover and terrain on one grid.",
    epilog="Exit codes: 0 done, 1 finished with failures, 2 wrong input.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
build.register(app)
sources.register(app)
simulate.register(app)
simulate_views.register(app)
dataset.register(app)
recipe.register(app)
cloud_masks.register(app)
semantic_masks.register(app)
maskmix.register(app)
occlude.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"rsprep {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run_app(app, arguments)


def run_app(program: typer.Typer, arguments: Sequence[str] | None) -> int:
    """Run one command of a program and return its exit code; whatever is wrong is said on standard error."""
    try:
        code = int(program(args=arguments, standalone_mode=False) or 0)
    except RsprepError as error:
        show_error(error)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = STOPPED
    except Exception as error:
        if isinstance(error, Usage):
            error.show()  # type: ignore[attr-defined]  # a click exception
            return 2
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            show_error(_too_long(error))
            return InputError.exit_code
        show_defect(error)
        return 1
    if code == STOPPED:  # Typer turns an interrupt into this code, without a word
        print("stopped; the same command goes on from here", file=sys.stderr)
    return code


def _too_long(error: OSError) -> InputError:
    return InputError(
        "name-too-long",
        "this is longer than the name of a file can be",
        value=str(error.filename or ""),
        remedy="give a path of a file or folder",
    )


def show_error(error: RsprepError) -> None:
    """Say on standard error what is wrong, what was offered and what to do."""
    console = Console(stderr=True, soft_wrap=True, emoji=False)
    head, *rest = str(error).split("\n")
    name, _, cause = head.partition(": ")
    console.print(f"[bold red]error[/] [bold]{name}[/]", end=" ", highlight=False)
    console.print(cause, markup=False, highlight=False)
    for line in rest:
        console.print(line, markup=False, highlight=False)


def show_defect(error: Exception) -> None:
    """Say on standard error that rsprep itself failed, and keep the traceback in a file to send."""
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="rsprep-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            log.write(f"rsprep {__version__}, Python {sys.version}\n\n{trace}")
        place = log.name
    except OSError:  # a full disk may be the very trouble
        place = f"\n{trace}"
    console = Console(stderr=True, soft_wrap=True, emoji=False)
    system = isinstance(error, OSError) and error.errno is not None
    head = "the system refused" if system else "unexpected, a defect of rsprep itself"
    console.print(f"[bold red]error[/] [bold]{head}[/]", end=": ", highlight=False)
    console.print(f"{type(error).__name__}: {error}", markup=False, highlight=False)
    remedy = (
        "see to disk space and permissions, then run the same command again" if system else "report it, with that file"
    )
    console.print(f"  traceback: {place}\n  fix: {remedy}", markup=False, highlight=False)


def run() -> None:
    """Entry point of the `rsprep` program."""
    sys.exit(main())
