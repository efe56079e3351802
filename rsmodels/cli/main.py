"""`rsmodels`: maps names to functions, errors to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

import rsprep
from rsmodels.cli import colorize, downstream, edit, evaluate, inpaint, recipe, report, reproduce, synth, train
from rsprep.cli.main import run_app

app = typer.Typer(
    name="rsmodels",
    help="Train generators and segmentation networks on chip stores, make synthetic data sets, measure what they gain.",
    epilog="Exit codes: 0 done, 1 finished with failures, 2 wrong input. See docs/training.md for the whole loop.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
train.register(app)
evaluate.register(app)
synth.register(app)
edit.register(app)
inpaint.register(app)
colorize.register(app)
downstream.register(app)
reproduce.register(app)
report.register(app)
recipe.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"rsmodels {rsprep.__version__}")
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


def run() -> None:
    """Entry point of the `rsmodels` program."""
    sys.exit(main())
