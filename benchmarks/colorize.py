"""BMMAENet: criss-cross attention against full attention, steps of one to three branches, images a second.

    python benchmarks/colorize.py [--width 64] [--batch 2] [--precision bf16] [--threads 1] [--repeats 3] [--device cpu]

attention
    CCNet's two passes and full (non-local) attention with the same queries, keys and values, 64 x 64 pixels of
    `--width` channels, forward and backward. Full attention writes out its (y x)² weights, as the criss-cross one does
    its y x (y + x); a fused kernel, which torch has for full attention alone, stands beside them.
step
    what the trainer does with 256 x 256 pixels: ``ColorizationTask`` with discriminator and fused Adam; the rows 1-b,
    2-b-dme-uame-mmb and 3-b-dme-uame-mmb, and 3-b without any module.
images
    ``Trained.colorize``'s part that counts: the network in evaluation and the way back from Lab, 256 x 256 pixels.

Contestants take turns within one process after one turn to warm up; medians. With one thread on a CPU it is CPU seconds
that count, else those of the clock. Memory is what the largest tensor of attention weights takes, by its size.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.fields import Field
from rsmodels.data.fit import Scaling
from rsmodels.data.normalise import Normaliser
from rsmodels.generators.colorization import ColorizationTask
from rsmodels.generators.colorization_settings import ColorizationSettings
from rsmodels.nets.criss_cross import RECURRENCE, CrissCrossAttention
from rsmodels.nets.memory import keep_freed_memory
from rsmodels.tasks.base import Networks
from rsmodels.tasks.models import model, resolve

SIDE, ATTENDED = 256, 64
ROWS = ("1-b", "2-b-dme-uame-mmb", "3-b", "3-b-dme-uame-mmb")
Work = Callable[[], object]


class FullAttention(nn.Module):
    """Every pixel looks at every other one, with the layers of a criss-cross attention."""

    def __init__(self, of: CrissCrossAttention, *, fused: bool) -> None:
        super().__init__()
        self.of, self.fused = of, fused

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, y, x) to the same."""
        query, key, value = (one(x).flatten(2).transpose(1, 2) for one in (self.of.query, self.of.key, self.of.value))
        if self.fused:
            heard = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        else:
            heard = (query @ key.transpose(1, 2)).float().softmax(dim=-1).to(value.dtype) @ value
        return x + self.of.scale * heard.transpose(1, 2).reshape(x.shape)


def main() -> None:
    """Three tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--precision", default="bf16", choices=("fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(1)
    keep_freed_memory()
    found = {
        f"attention, {ATTENDED} x {ATTENDED} pixels, {given.width} channels": attentions(given),
        f"step, {given.batch} chips of {SIDE} x {SIDE} pixels, width {given.width}": {
            row: step(row, given) for row in ROWS
        },
        f"one image of {SIDE} x {SIDE} pixels, width {given.width}": {row: use(row, given) for row in ROWS},
    }
    runs = {}
    for title, works in found.items():
        runs[title] = take_turns(works, given)
        report(title, runs[title])
    cross = RECURRENCE * ATTENDED**2 * 2 * ATTENDED
    print(f"\nweights of one image: criss-cross {cross:,} in {RECURRENCE} passes, full {ATTENDED**4:,}")
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1))


def attentions(given: argparse.Namespace) -> dict[str, Work]:
    """Forward and backward of each kind."""
    cross = CrissCrossAttention(given.width).to(given.device)
    nn.init.ones_(cross.scale)
    kinds = {
        "criss-cross, two passes": cross,
        "full": FullAttention(cross, fused=False),
        "full, fused kernel": FullAttention(cross, fused=True),
    }
    x = torch.randn(given.batch, given.width, ATTENDED, ATTENDED, device=given.device)

    def both(layer: nn.Module) -> Work:
        def work() -> None:
            with autocast(given):
                made = layer(x)
            made.float().square().mean().backward()

        return work

    return {name: both(layer) for name, layer in kinds.items()}


def task_of(row: str, given: argparse.Namespace) -> tuple[ColorizationTask, ChipBatch]:
    """A task of this row of the paper's tables, and a batch of pictures."""
    settings = resolve(
        {
            "model": "bmmaenet", "preset": row, "data": ["d"], "out": "o",
            "network": {"width": given.width}, "discriminator": {"width": given.width},
        }
    )  # fmt: skip
    assert isinstance(settings, ColorizationSettings)  # the registry's own
    image = Field(name="image", variable="image", kind="optical", bands=("red", "green", "blue"))
    scaling = Scaling(field=image, dtype="uint8", fill=0.0, nodata=None, low=(0.0,) * 3, high=(255.0,) * 3)
    task = model("bmmaenet").build(settings, Normaliser(scalings={"image": scaling}), SIDE, None)
    assert isinstance(task, ColorizationTask)
    task.networks.to(given.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = ChipBatch(
        values={"image": torch.rand(given.batch, 3, SIDE, SIDE) * 2 - 1},
        valid={"image": torch.ones(given.batch, 1, SIDE, SIDE, dtype=torch.bool)},
        chips=tuple(ChipKey(0, number) for number in range(given.batch)),
    )
    return task, batch.to(given.device, channels_last=True)


def step(row: str, given: argparse.Namespace) -> Work:
    """One step of the trainer."""
    task, batch = task_of(row, given)
    networks = Networks(dict(task.networks.items()), autocast=lambda: autocast(given))
    optimisers = {
        phase.name: torch.optim.Adam(
            [weight for name in phase.networks for weight in task.networks[name].parameters()], lr=1e-4, fused=True
        )
        for phase in task.phases
    }

    def work() -> None:
        with autocast(given):
            state = task.begin(networks, batch)
        for phase in task.phases:
            with autocast(given):
                total, _ = task.loss(phase.name, networks, batch, state)
            optimisers[phase.name].zero_grad()
            total.backward()
            optimisers[phase.name].step()

    return work


def use(row: str, given: argparse.Namespace) -> Work:
    """Colours of one image."""
    task, batch = task_of(row, given)
    network = task.networks["generator"].eval()
    grey = task.grey(batch)[:1]

    @torch.inference_mode()
    def work() -> Tensor:
        with autocast(given):
            return task.colours(network, grey).cpu()

    return work


def autocast(given: argparse.Namespace) -> torch.autocast:
    """The precision that is asked for."""
    return torch.autocast(torch.device(given.device).type, torch.bfloat16, enabled=given.precision == "bf16")


def take_turns(works: dict[str, Work], given: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each."""
    clock: Callable[[], float] = (
        time.process_time if given.threads == 1 and given.device == "cpu" else time.perf_counter
    )
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(given.repeats + 1):
        for name, work in works.items():
            begin = clock()
            work()
            if given.device != "cpu":
                torch.cuda.synchronize()
            if turn:
                taken[name].append(clock() - begin)
    return {name: statistics.median(each) for name, each in taken.items()}


def report(title: str, found: dict[str, float]) -> None:
    """Seconds, how many a second, and how many times as long as the first each takes."""
    print(f"\n{title}")
    base = next(iter(found.values()))
    for name, seconds in found.items():
        print(f"{name:26}{seconds:9.3f} s {1 / seconds:8.2f} /s {seconds / base:7.2f} x")


if __name__ == "__main__":
    main()
