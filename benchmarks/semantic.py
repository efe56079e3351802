"""CSEBGAN against SPADE, INADE, CLADE and others of the same width: generation, and a training step.

    python benchmarks/semantic.py [--size 256] [--batch 2] [--width 64] [--systems csebgan,spade,inade,clade] \
        [--precision fp32,bf16] [--threads 1] [--repeats 3] [--device cpu]

Networks are those that the settings give without a word (SPADE's decoder of width 64, hidden 128, two discriminators
of width 64 and 4 layers), from 15 classes and unknown to 4 bands. What is timed of each system:

generate
    the generator alone, in evaluation, without gradients.
forward and backward
    the generator alone, in training.
step
    what the trainer does: ``SemanticTask`` with hinge loss and feature matching, fused Adam; without perceptual loss.
    CSEBGAN's has no conductor here, so that the difference is the generator's; csebgan+conductor is the paper's, and
    csebgan+PRESET an ablation of it (without-sharing, without-conductor, frozen-conductor, without-real,
    without-discriminator): what each part of a step costs.

bf16 is autocast with channels-last memory. Label maps have regions some 16 pixels across. Every measurement is a
process of its own, which keeps freed memory and takes a step first; contestants take turns, and medians are shown.
With one thread on a CPU it is CPU seconds that count, else those of the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLASSES, BANDS = 15, 4
MEASURES = {"generate": "generate ms", "generator": "forward, backward ms", "step": "step ms"}


def main() -> None:
    """Let the contestants take turns, print a table for each precision."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=256, help="pixels along a chip's side")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--width", type=int, default=64, help="width of generator and discriminators")
    parser.add_argument(
        "--systems", default="csebgan,spade,inade,clade", help="the first is what others are set against"
    )
    parser.add_argument("--precision", default="fp32,bf16")
    parser.add_argument("--steps", type=int, default=1, help="steps in one measurement, after as many to warm up")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch; of no matter on a GPU")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--one", metavar="SYSTEM,PRECISION", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(*given.one.split(","), given)))
        return
    runs = take_turns(given)
    for precision in given.precision.split(","):
        report(precision, [run for run in runs if run["precision"] == precision])
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1))


def measure(system: str, precision: str, given: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of each thing that is timed, and millions of the generator's parameters."""
    import torch

    from rsmodels.nets.memory import keep_freed_memory

    torch.set_num_threads(given.threads)
    torch.manual_seed(1)
    keep_freed_memory()
    task, batch = made(system, given)
    task.networks.to(given.device)
    if precision == "bf16":
        task.networks.to(memory_format=torch.channels_last)
    batch = batch.to(given.device, channels_last=precision == "bf16")
    on_gpu = given.device.startswith("cuda")
    clock = time.perf_counter if on_gpu or given.threads > 1 else time.process_time
    acts = acts_of(task, batch, precision, torch.device(given.device).type)

    def seconds(act: Callable[[], None]) -> float:
        for _ in range(given.steps):
            act()
        if on_gpu:
            torch.cuda.synchronize()
        begin = clock()
        for _ in range(given.steps):
            act()
        if on_gpu:
            torch.cuda.synchronize()
        return (clock() - begin) / given.steps

    size = sum(parameter.numel() for parameter in task.networks["generator"].parameters())
    return {name: 1000 * seconds(act) for name, act in acts.items()} | {"parameters": size / 1e6}


def made(system: str, given: argparse.Namespace) -> tuple[Any, Any]:
    """The task as a run has it, and a batch of random images of planted label maps."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    from rsmodels.data.batch import ChipBatch, ChipKey
    from rsmodels.data.fields import Field
    from rsmodels.data.normalise import Normaliser, Scaling
    from rsmodels.nets.rs_unet import RsUNet, RsUNetNetwork
    from rsmodels.tasks.frozen import FrozenSegmenter, Helpers
    from rsmodels.tasks.models import model, resolve

    name, _, variant = system.partition("+")
    values: dict[str, Any] = {"model": name, "data": ["x"], "out": "x", "steps": 1, "perceptual": {"weight": 0.0}}
    values |= {key: {"width": given.width} for key in ("network", "discriminator")}
    values["conductor"] = {"network": {"width": given.width}} | ({} if variant else {"kind": "none"})
    if variant not in ("", "conductor"):
        values["preset"] = variant
    settings = resolve(values)
    names = tuple(map(str, range(BANDS)))
    classes = tuple(f"class {number}" for number in range(CLASSES))
    image = Field(name="image", variable="s2", kind="optical", bands=names)
    land = Field(name="landcover", variable="lulc", kind="classes", classes=classes, codes=tuple(range(CLASSES)))
    optical = Scaling(
        field=image, dtype="int16", fill=-1, nodata=-1, scale=1e-4, low=(0,) * BANDS, high=(4000,) * BANDS
    )
    codes = Scaling(field=land, dtype="uint8", fill=255, nodata=255, low=(0,), high=(1,))
    normaliser = Normaliser(scalings={"image": optical, "landcover": codes})
    guide = None
    if variant == "frozen-conductor":
        guide = FrozenSegmenter(RsUNet(BANDS, CLASSES, RsUNetNetwork(width=given.width)), normaliser, normaliser)
    task = model(name).build(settings, normaliser, given.size, Helpers(conductor=guide))
    coarse = torch.rand(given.batch, CLASSES + 1, given.size // 16, given.size // 16)
    labels = F.interpolate(coarse, size=(given.size, given.size), mode="bilinear").argmax(1)
    valid = torch.ones(given.batch, 1, given.size, given.size, dtype=torch.bool)
    batch = ChipBatch(
        values={
            "image": torch.rand(given.batch, BANDS, given.size, given.size) * 2 - 1,
            "landcover": torch.where(labels == CLASSES, 255, labels),
        },
        valid={"image": valid, "landcover": valid},
        chips=tuple(ChipKey(0, slot) for slot in range(given.batch)),
    )
    return task, batch


def acts_of(task: Any, batch: Any, precision: str, kind: str) -> dict[str, Callable[[], None]]:
    """What is timed, by name."""
    import torch

    from rsmodels.tasks.base import Networks

    def autocast() -> Any:
        return torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16")

    networks = Networks(dict(task.networks.items()), autocast=autocast)
    generator, conditions = task.networks["generator"], task.conditions(batch)
    adams = {
        phase.name: torch.optim.AdamW(
            [weight for name in phase.networks for weight in task.networks[name].parameters()],
            lr=phase.optimiser.lr,
            betas=phase.optimiser.betas,
            weight_decay=0.0,
            fused=True,
        )
        for phase in task.phases
    }

    @torch.inference_mode()
    def generate() -> None:
        generator.eval()
        with autocast():
            generator(conditions)

    def forward_backward() -> None:
        generator.train()
        with autocast():
            image = generator(conditions)
        image.square().mean().backward()
        generator.zero_grad(set_to_none=True)

    def step() -> None:
        task.networks.train()
        task.networks.requires_grad_(True)
        with autocast():
            state = task.begin(networks, batch)
        for phase in task.phases:
            for name, network in task.networks.items():
                network.requires_grad_(name in phase.networks)
            adams[phase.name].zero_grad(set_to_none=True)
            with autocast():
                total, _ = task.loss(phase.name, networks, batch, state)
            total.backward()
            adams[phase.name].step()

    return {"generate": generate, "generator": forward_backward, "step": step}


def take_turns(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Every measurement in a process of its own, contestants interleaved."""
    runs = []
    for _ in range(given.repeats):
        for precision in given.precision.split(","):
            for system in given.systems.split(","):
                command = [sys.executable, __file__, *sys.argv[1:], "--one", f"{system},{precision}"]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                runs.append({"system": system, "precision": precision, **json.loads(answer.stdout)})
    return runs


def report(precision: str, runs: list[dict[str, Any]]) -> None:
    """Print medians, and how many times as long as the first system each takes."""
    print(f"\n{precision:31}" + "".join(f"{title:>22} {'÷':>5}" for title in MEASURES.values()) + f"{'M weights':>11}")
    base: dict[str, float] = {}
    for system in dict.fromkeys(run["system"] for run in runs):
        mine = [run for run in runs if run["system"] == system]
        middle = {name: statistics.median(run[name] for run in mine) for name in MEASURES}
        base = base or middle
        cells = "".join(f"{middle[name]:22.0f} {middle[name] / base[name]:5.2f}" for name in MEASURES)
        print(f"{system:31}{cells}{mine[0]['parameters']:11.1f}")


if __name__ == "__main__":
    main()
