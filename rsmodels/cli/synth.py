"""`rsmodels synth-augment`."""

from __future__ import annotations

from typing import Annotated

import typer

from rsprep.cli.options import (
    CATALOG,
    CONFIG,
    EPILOG,
    RETRY_FAILED,
    SCHEDULER,
    override,
    override_section,
    run_job,
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("synth-augment", epilog=EPILOG)(synth_augment)


def synth_augment(
    data: Annotated[str | None, typer.Option(help="Data set whose train chips lend their conditions.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Trained generator: a run, or one of its checkpoints.")] = None,
    n: Annotated[
        str | None, typer.Option("--n", help="Chips to make: 5000, or 2x for twice the train chips.  [default: 1x]")
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the data set.  [default: synthetic]")] = None,
    turns: Annotated[
        bool | None, typer.Option("--turns/--no-turns", help="Turn and mirror conditions.  [default: yes]")
    ] = None,
    edits: Annotated[
        bool | None, typer.Option("--edits/--no-edits", help="Give a region another class, too.  [default: yes]")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Images of the same conditions, by a generator that draws noise.  [default: 1]"),
    ] = None,
    favour_rare: Annotated[
        bool | None,
        typer.Option("--favour-rare/--as-they-are", help="Let rare classes gain.  [default: as they are]"),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Share of the train chips that lend their conditions.  [default: 1]")
    ] = None,
    synthetic_parents: Annotated[
        bool | None,
        typer.Option("--synthetic-parents/--real-parents", help="Start from synthetic chips, too.  [default: real]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed chooses other chips and edits.  [default: 0]")] = None,
    batch: Annotated[int | None, typer.Option(help="Chips that are generated at a time.  [default: 16]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    config: CONFIG = None,
    catalog: CATALOG = None,
    scheduler: SCHEDULER = None,
    workers: Annotated[
        int | None, typer.Option(help="Workers; each step of the generator uses all cores.  [default: 1]")
    ] = None,
    retry_failed: RETRY_FAILED = False,
) -> int:
    """Make a synthetic data set: new images for the land cover, radar and terrain of train chips.

    The first image of a chip has its conditions as they are; the next seven have them turned and mirrored; eight more
    have one region of another class. So all differ, and each keeps the label that it was made from. A generator that
    draws noise can make several images of each of these (--samples 10). The store has the format of any data set, is
    entered in the catalog, and is trained on beside the real one.

    --favour-rare takes chips with rare classes more often, and edits regions to rare classes. The report tells what
    each class gains, and how near the images come to train chips.

    Only train chips are used, and a generator that saw chips which --data holds out for val or test is refused.

    Example:

        rsmodels synth-augment --n 2x --data chips --checkpoint run --out synthetic

        rsmodels synth-augment --n 2x --samples 4 --favour-rare --data chips --checkpoint run --out synthetic

    The same command again resumes. Options override the recipe given by --config.
    """
    from rsmodels.synth.job import synth_augment as make
    from rsmodels.synth.settings import SynthSettings
    from rsprep.settings import make_settings, read_config

    values = read_config(config) if config else {}
    override(values, data=data, checkpoint=checkpoint, n=n, out=out, turns=turns, edits=edits)
    override(values, samples=samples, favour_rare=favour_rare, share=share)
    override(values, synthetic_parents=synthetic_parents, seed=seed, batch=batch, device=device, catalog=catalog)
    override_section(values, "engine", scheduler=scheduler, workers=workers)
    return run_job(make, make_settings(SynthSettings, values), retry_failed=retry_failed)
