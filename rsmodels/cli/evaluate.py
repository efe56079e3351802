"""`rsmodels evaluate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rsprep.cli.options import CONFIG, EPILOG, override
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("evaluate", epilog=EPILOG)(evaluate)


def evaluate(
    checkpoint: Annotated[str | None, typer.Argument(help="Run, or one of its checkpoints.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set to evaluate on.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test.  [default: test]")] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the figures.  [default: evaluations/ in the run]")] = None,
    extractor: Annotated[
        str | None,
        typer.Option(help="Segmentation checkpoint whose features compare the sets of real and generated images."),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Chips at once.  [default: 16]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    random_chips: Annotated[
        int | None, typer.Option(help="Chips shown besides the best, the median and the worst.  [default: 8]")
    ] = None,
    allow_seen: Annotated[
        bool | None, typer.Option("--allow-seen", help="Also on val or test chips that the model has seen.")
    ] = None,
    allow_few: Annotated[
        bool | None, typer.Option("--allow-few", help="Fréchet distance also of too few images.")
    ] = None,
    config: CONFIG = None,
) -> int:
    """Measure a trained model on chips that it has not seen.

    Writes metrics.json, chips.parquet (the scores of each chip) and report.html, with pictures of some chips.

    Example:

        rsmodels evaluate run --data chips
    """
    from rsmodels.evaluation.evaluate import evaluate as run_evaluation
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(config) if config else {}
    override(values, checkpoint=checkpoint, data=data, split=split, out=out, extractor=extractor, batch=batch)
    override(values, device=device, random_chips=random_chips, allow_seen=allow_seen, allow_few=allow_few)
    with watcher() as progress:
        found = run_evaluation(values, progress=progress)
    for warning in found.record["warnings"]:
        print(f"warning: {warning}")
    for name, value in found.record["figures"].items():
        print(f"  {name:<24} {value:,}" if isinstance(value, int) else f"  {name:<24} {value:.4f}")
    print(f"report   {found.page}")
    return 0
