"""`rsmodels report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rsprep.cli.options import CONFIG, override
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("report", epilog="Exit codes: 0 done, 2 wrong input.")(report)


def report(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="Blind: folders, real images first, then those of each system. Scores: the score files."),
    ] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Make the page of a blind test.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Read what raters saved on such a page.")] = False,
    key: Annotated[Path | None, typer.Option(help="Scores: the page that they were made on.")] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(help="Blind: a run that makes the images, instead of folders; may be given again, also NAME=RUN."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Blind: data set whose images are the real ones.")] = None,
    split: Annotated[str | None, typer.Option(help="Blind: train, val or test.  [default: test]")] = None,
    real: Annotated[int | None, typer.Option(help="Blind: real images.  [default: 10]")] = None,
    generated: Annotated[int | None, typer.Option(help="Blind: images of each system.  [default: 20]")] = None,
    seed: Annotated[int | None, typer.Option(help="Blind: another seed draws other images.  [default: 0]")] = None,
    allow_seen: Annotated[
        bool | None, typer.Option("--allow-seen", help="Blind: also held-out images that a model has seen.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="The page.  [default: blind.html; of scores: only the terminal]")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    config: CONFIG = None,
) -> int:
    """Let people judge images blindly: make a page that shuffles real and generated ones, and read their scores.

    The page is one HTML file to send around: it shows the images one by one, takes a score of 1 to 100 for each by
    keyboard or mouse, keeps what was scored in the browser, and saves it as CSV or JSON at the end. Which image is
    which is in the page in an encoded form: out of sight, but no secret from those who want to know.

    Example:

        rsmodels report --blind --checkpoint run --data chips --out blind.html

        rsmodels report --blind real-images coloured-images others=more-images --out blind.html

        rsmodels report --scores ada.csv ben.csv --key blind.html --out scores.html

    Each rater meets the images in another order. No scene is shown both real and generated.
    """
    from rsmodels.errors import ModelError
    from rsprep.settings import read_config

    if blind == scores:
        raise ModelError(
            "no-such-report",
            "a report is one of two: --blind makes the page of a test, --scores reads what came of it",
            value="both" if blind else "neither",
            remedy="give one of them",
        )
    if scores:
        return _scores(inputs or [], key, out)
    values: dict[str, Any] = read_config(config) if config else {}
    override(values, folders=inputs or None, checkpoint=checkpoint or None, data=data, split=split, real=real)
    override(values, generated=generated, seed=seed, allow_seen=allow_seen, out=out, device=device)
    return _blind(values)


def _blind(values: dict[str, Any]) -> int:
    from rsmodels.blind.job import blind_test

    with watcher() as progress:
        made = blind_test(values, progress=progress)
    for warning in made.warnings:
        print(f"warning: {warning}")
    told = ", ".join(f"{count} of {name}" for name, count in made.generated.items())
    print(f"blind test {made.test}: {made.real} real images, {told}\npage     {made.page}")
    return 0


def _scores(files: list[str], key: Path | None, out: str | None) -> int:
    from rsmodels.blind.told import blind_scores, explained, headline, subtitle, table
    from rsmodels.downstream.words import as_text
    from rsmodels.errors import ModelError

    if key is None or not files:
        raise ModelError(
            "no-key" if key is None else "no-scores",
            "scores are read with the page that they were made on" if key is None else "there is no score file to read",
            value=", ".join(files),
            remedy="rsmodels report --scores ada.csv ben.csv --key blind.html",
        )
    found = blind_scores(key, files, out=out)
    print(f"{headline(found.record)}\n{subtitle(found.record)}\n")
    print(f"{as_text(table(found.record))}\n\n{explained(found.record)}")
    if found.page is not None:
        print(f"figures  {found.page.with_suffix('.json')}\nreport   {found.page}")
    return 0
