"""`rsmodels train`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rsmodels.cli.recipe import MODELS
from rsprep.cli.options import CONFIG, EPILOG, names, override, override_section
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("train", epilog=EPILOG)(train)


def train(
    model: Annotated[str | None, typer.Argument(help=f"One of {', '.join(MODELS)}.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="Data set to train on; several are mixed by --ratio.")] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the run.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="tiny (a CPU, minutes), base or paper; others go over it, as tiny,without-sharing."),
    ] = None,
    ratio: Annotated[str | None, typer.Option(help="Chips of each data set, as 1:1.  [default: equal]")] = None,
    conditions: Annotated[
        str | None, typer.Option(help="What a generator starts from: a comma list of landcover, radar, terrain.")
    ] = None,
    bands: Annotated[str | None, typer.Option(help="Bands of the image, as B02,B03,B04,B08.  [default: all]")] = None,
    task: Annotated[
        str | None, typer.Option(help="Run of the network that inpainting is to serve, trained on clean images.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the whole run.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Or passes over the first data set.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Stop after this step; the same command goes on.")] = None,
    max_time: Annotated[
        str | None, typer.Option(help="Stop after this time, as 90s, 30m or 2h; the same command goes on.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Chips of a step.  [default: 8]")] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.  [default: 0]")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.  [default: fp32]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    devices: Annotated[int | None, typer.Option(help="Processes or GPUs that share a batch.  [default: 1]")] = None,
    save_every: Annotated[int | None, typer.Option(help="Steps between checkpoints.  [default: 500]")] = None,
    window: Annotated[int | None, typer.Option(help="Shards shuffled together.  [default: 8]")] = None,
    config: CONFIG = None,
) -> int:
    """Train a generator, an inpainter, or a network that tells classes or places apart, on chip stores.

    The run's folder holds checkpoints, metrics.jsonl, sample pictures and report.html, kept up to date while it trains.

    Example:

        rsmodels train rs-spade --preset tiny --data chips --out run

        rsmodels train inpaint --preset tiny --data pairs --task classifier --out run

    The same command again goes on where it stopped. Options override the recipe given by --config, and that a preset.
    """
    from rsmodels.nets.memory import keep_freed_memory
    from rsmodels.training.run import train as run_training
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(config) if config else {}
    override(values, model=model, data=data, out=out, preset=preset, ratio=ratio, conditions=names(conditions))
    override(values, bands=names(bands), steps=steps, epochs=epochs, max_steps=max_steps, batch=batch, seed=seed)
    override(values, precision=precision, device=device, devices=devices, save_every=save_every)
    override(values, max_time=None if max_time is None else seconds(max_time))
    override_section(values, "loading", window=window)
    override_section(values, "task", checkpoint=task)
    keep_freed_memory()  # the process is ours, and ends with the run
    with watcher() as progress:
        outcome = run_training(values, progress=progress)
    end = "done" if outcome.finished else "stopped as told; the same command goes on"
    print(f"step {outcome.step:,} of {outcome.steps:,}: {end}")
    for name, value in outcome.scores.items():
        print(f"  {name:<24} {value:.4f}")
    print(f"report   {outcome.run / 'report.html'}")
    return 0


def seconds(text: str) -> float:
    """``90s``, ``30m``, ``2h`` or plain seconds as seconds; ModelError ``bad-time`` for anything else."""
    from rsmodels.errors import ModelError

    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1.0)
    try:
        found = float(number)
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise ModelError("bad-time", "this is no length of time", value=text, remedy="write it as 90s, 30m or 2h")
    return found * unit
