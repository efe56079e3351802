"""RS-SPADE against pix2pix, and against itself without one source (the paper's Tables 1 and 2), at equal steps.

    python benchmarks/rs_spade.py DATASET OUT [--seeds 3] [--steps 1200] [--conditions landcover,radar,terrain]

Every run is one of `rsmodels train` with the preset tiny, in a folder of its own under OUT: the same command goes on
where it stopped, and prints the table of what is there. Scores are on the test split, of the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

SCORES = ("psnr", "ssim", "sam", "mse")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training run of the comparison."""

    model: str
    conditions: tuple[str, ...]
    seed: int
    label: str

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.label.replace(' ', '-').lower()}-{self.seed}"


def runs(conditions: tuple[str, ...], seeds: int, ablate: int) -> Iterator[Run]:
    """Both models with every seed, then each source left out with the first `ablate` seeds."""
    for seed in range(seeds):
        yield Run(model="rs-spade", conditions=conditions, seed=seed, label="RS-SPADE")
        yield Run(model="pix2pix", conditions=conditions, seed=seed, label="pix2pix")
    for seed in range(ablate):
        for out in conditions:
            rest = tuple(name for name in conditions if name != out)
            yield Run(model="rs-spade", conditions=rest, seed=seed, label=f"without {out}")


def scores_of(run: Run, data: Path, out: Path, steps: int) -> dict[str, float]:
    """Train, or go on; evaluate, unless that is done."""
    from rsmodels.evaluation.evaluate import evaluate
    from rsmodels.training.run import train

    folder, record = out / run.name, out / f"{run.name}-test"
    settings: dict[str, Any] = {
        "model": run.model,
        "preset": "tiny",
        "data": [str(data)],
        "out": str(folder),
        "seed": run.seed,
        "steps": steps,
        "conditions": list(run.conditions),
        "save_every": max(1, steps // 4),
    }
    train(settings)
    if not (record / "metrics.json").is_file():
        evaluate({"checkpoint": str(folder), "data": str(data), "split": "test", "out": str(record)})
    figures = json.loads((record / "metrics.json").read_text(encoding="utf-8"))["figures"]
    return {name: figures[name] for name in SCORES}


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """A row a model: mean of its seeds, and each of them."""
    head = "".join(f"{name:>9}" for name in SCORES)
    lines = [f"{'':<20}{head}   each seed: psnr / ssim / sam"]
    for label, rows in found.items():
        means = "".join(f"{mean(row[name] for row in rows):>9.3f}" for name in SCORES)
        each = "; ".join(f"{row['psnr']:.2f} / {row['ssim']:.3f} / {row['sam']:.4f}" for row in rows)
        lines.append(f"{label:<20}{means}   {each}")
    return "\n".join(lines)


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ablate", type=int, default=1, help="seeds of the runs that leave a source out")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--conditions", default="landcover,radar,terrain")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores that torch uses")
    parser.add_argument("--part", default="0/1", help="every n-th run from the k-th on, as 0/2 and 1/2 side by side")
    given = parser.parse_args()

    import torch

    from rsmodels.nets.memory import keep_freed_memory

    torch.set_num_threads(given.threads)
    keep_freed_memory()
    given.out.mkdir(parents=True, exist_ok=True)
    first, every = (int(number) for number in given.part.split("/"))
    wanted = list(runs(tuple(given.conditions.split(",")), given.seeds, given.ablate))
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for run in wanted[first::every]:
        found[run.label].append(scores_of(run, given.data, given.out, given.steps))
        print(table(found), end="\n\n", flush=True)
    (given.out / f"scores-{first}-of-{every}.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
