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
    segmenter: Annotated[
        str | None,
        typer.Option(help="Segmentation checkpoint that judges generated images, by its features and its classes."),
    ] = None,
    perceptual: Annotated[
        str | None, typer.Option(help="What diversity is seen with: auto, segmenter, vgg or lpips.  [default: auto]")
    ] = None,
    vgg: Annotated[
        str | None, typer.Option(help="Weights of VGG as safetensors; with LPIPS's linear weights it is LPIPS.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Run that repaired images are to serve, or none.  [default: that of the training]"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Who else repairs: telea, navier-stokes, inpainting runs, or none.  [default: telea,navier-stokes]"
        ),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Images of a mask for its diversity.  [default: 10]")] = None,
    pairs: Annotated[int | None, typer.Option(help="Pairs of them that are compared.  [default: 10]")] = None,
    diversity_chips: Annotated[
        int | None, typer.Option(help="Masks that diversity is measured on.  [default: 64]")
    ] = None,
    downstream: Annotated[
        str | None, typer.Option(help="Folder of `rsmodels downstream`: what the images gained there.")
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

    Writes metrics.json, chips.parquet (the scores of each chip) and report.html, with pictures of some chips. Of a
    generator it also prints the columns by which generators are set side by side; those that need a segmenter or a
    comparison are – without it. Of an inpainting network it prints how like the clean images the repaired ones are,
    what the task makes of them, and the same of everyone it is measured against.

    Example:

        rsmodels evaluate run --data chips --segmenter segmenter

        rsmodels evaluate run --data pairs --task classifier --against telea,navier-stokes,other-run
    """
    from rsmodels.evaluation.evaluate import evaluate as run_evaluation
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(config) if config else {}
    override(values, checkpoint=checkpoint, data=data, split=split, out=out, segmenter=segmenter, batch=batch)
    override(values, device=device, random_chips=random_chips, allow_seen=allow_seen, allow_few=allow_few)
    override(values, perceptual=perceptual, vgg=vgg, samples=samples, pairs=pairs, diversity_chips=diversity_chips)
    override(values, downstream=downstream, task=task, against=against)
    with watcher() as progress:
        found = run_evaluation(values, progress=progress)
    for warning in found.record["warnings"]:
        print(f"warning: {warning}")
    if found.record["kind"] == "inpainting":
        _print_repairs(found.record)
        print(f"report   {found.page}")
        return 0
    for name, value in found.record["figures"].items():
        print(f"  {name:<24} {value:,}" if isinstance(value, int) else f"  {name:<24} {value:.4f}")
    if found.record["kind"] == "classification":
        _print_classes(found.record)
    _print_table(found.record)
    print(f"report   {found.page}")
    return 0


def _print_classes(record: dict[str, Any]) -> None:
    """How many of each class were found, and what the others were taken for."""
    names = [one["name"] for one in record["classes"]]
    for one, counts in zip(record["classes"], record["confusion"], strict=True):
        found = names.index(one["name"])
        others = sorted(((count, name) for name, count in zip(names, counts, strict=True) if count), reverse=True)
        wrong = ", ".join(f"{count} {name}" for count, name in others if name != one["name"])
        told = f"{counts[found]:,} of {one['support']:,}{'; taken for ' + wrong if wrong else ''}"
        print(f"  {one['name']:<24} {told}")


def _print_repairs(record: dict[str, Any]) -> None:
    """Images as they were occluded, and as everyone repaired them, one a line."""
    from rsmodels.downstream.words import as_text
    from rsmodels.evaluation.repair_page import explained, repair_table

    print(f"{as_text(repair_table(record))}\n\n{' '.join(explained(record))}")


def _print_table(record: dict[str, Any]) -> None:
    """Figures by which generators are compared, each with the name of what measured it."""
    from rsmodels.evaluation.columns import COLUMNS, named_by, shown

    row = record.get("table")
    if row is None:
        return
    print("Beside other generators")
    for key, title, way, _ in COLUMNS:
        print(f"  {title + ' ' + way:<24} {shown(row, key):<10} {named_by(row, key)}".rstrip())
    why = record["diversity"].get("why")
    if why:
        print(f"diversity was not measured: {why}")
