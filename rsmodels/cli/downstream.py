"""`rsmodels downstream`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rsprep.cli.options import CONFIG, EPILOG, names, override, override_section
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("downstream", epilog=EPILOG)(downstream)


def downstream(
    real: Annotated[str | None, typer.Option(help="Data set of real chips; its held-out chips judge.")] = None,
    synthetic: Annotated[
        list[str] | None,
        typer.Option(help="Data set of synthetic chips; several are mixed in one by one. Without: only True, for now."),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the runs, the figures and the report.")] = None,
    ratio: Annotated[
        str | None, typer.Option(help="Real and synthetic chips of the mix, or sizes.  [default: 1:1]")
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Share of the real train chips to train on.  [default: 1]")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each kind.  [default: 3]")] = None,
    match: Annotated[
        str | None,
        typer.Option(help="steps: Mix gets as many updates as True; epochs: as many passes.  [default: both in turn]"),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="tiny (a CPU, minutes), base or paper.  [default: none]")] = None,
    steps: Annotated[int | None, typer.Option(help="Updates of a True run.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Or its passes over the real chips.")] = None,
    bands: Annotated[str | None, typer.Option(help="Bands of the image, as B02,B03,B04,B08.  [default: all]")] = None,
    batch: Annotated[int | None, typer.Option(help="Chips of a step.  [default: 8]")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.  [default: fp32]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    split: Annotated[str | None, typer.Option(help="val or test: what judges.  [default: test]")] = None,
    config: CONFIG = None,
) -> int:
    """Say what synthetic chips are worth: RS-UNet trained on real chips alone (True) and on the mix (Mix).

    Same settings and seeds, at equal updates and at equal passes over the real chips; judged on real held-out chips
    only. Gains come with the interval over the seeds. --out holds every run, downstream.json and report.html.
    Several synthetic data sets, each with a --synthetic of its own, are compared with one True.

    Example:

        rsmodels downstream --real chips --synthetic synthetic --preset tiny --out downstream

    The same command again goes on where it stopped, also with more data sets or seeds. Options override the recipe
    given by --config.
    """
    from rsmodels.downstream import words
    from rsmodels.downstream.compare import compare
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(config) if config else {}
    override(values, real=real, synthetic=synthetic, out=out, ratio=ratio, seeds=seeds, match=match, preset=preset)
    override(values, steps=steps, epochs=epochs, split=split, share=share)
    override_section(values, "train", bands=names(bands), batch=batch, precision=precision, device=device)
    with watcher() as progress:
        found = compare(values, progress=progress)
    print(f"{words.as_text(words.score_table(found.record))}\n")
    if found.record["gains"]:
        print(f"{words.as_text(words.gain_table(found.record))}\n")
    print(f"{words.explained(found.record)}\n")
    print(f"figures  {found.out / 'downstream.json'}\nreport   {found.page}")
    return 0
