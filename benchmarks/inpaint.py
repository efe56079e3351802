"""Time to fill the holes of one image: coarse to fine, a plain U-Net of equal size, and OpenCV's fillers.

    python benchmarks/inpaint.py [--sizes 256,512] [--width 64] [--precision fp32] [--threads 1] [--repeats 5]

The coarse-to-fine network is that of the preset ``paper`` unless a width is given; the U-Net's width is searched so
that its number of weights comes nearest to it. Every call is what ``Trained.inpaint`` does: the network on an image and
its mask, then the composite; three bands, one image at a time, as the paper tells its times (its section IV-M: 0.033 s
for 256 x 256 pixels and 0.1 s for 512 x 512 on an RTX 3090). Masks hide a disc of a third of the image.
Contestants take turns within one process after one turn to warm up; medians. With one thread on a CPU it is CPU seconds
that count, else those of the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rsmodels.filling.classic import navier_stokes, telea
from rsmodels.nets.inpainting import CoarseToFine, CoarseToFineNetwork, InpaintUNet, composite
from rsmodels.nets.memory import keep_freed_memory
from rsmodels.nets.rs_unet import RsUNetNetwork

BANDS = 3
HIDDEN = 1 / 3
Fill = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    """Let the contestants take turns at every size, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="256,512", help="pixels along an image's side")
    parser.add_argument("--width", type=int, help="width of the coarse-to-fine network; its default unless told")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(1)
    keep_freed_memory()
    settings = CoarseToFineNetwork(**({} if given.width is None else {"width": given.width}))
    ours = CoarseToFine(BANDS, settings)
    plain = InpaintUNet(BANDS, RsUNetNetwork(width=equal_width(weights(ours))))
    fills: dict[str, Fill] = {
        f"coarse to fine, {weights(ours) / 1e6:.1f} M weights": by_network(ours, given),
        f"U-Net, {weights(plain) / 1e6:.1f} M weights": by_network(plain, given),
        "Telea": telea,
        "Navier-Stokes": navier_stokes,
    }
    runs = []
    for size in map(int, given.sizes.split(",")):
        found = take_turns(fills, *image(size), given)
        report(size, found)
        runs += [{"size": size, "way": name, "seconds": seconds} for name, seconds in found.items()]
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1))


def weights(network: nn.Module) -> int:
    """How many a network has."""
    return sum(parameter.numel() for parameter in network.parameters())


def equal_width(wanted: int) -> int:
    """Width of the U-Net whose number of weights is nearest to `wanted`."""

    def size(width: int) -> int:
        with torch.device("meta"):
            return weights(InpaintUNet(BANDS, RsUNetNetwork(width=width)))

    return min(range(4, 257), key=lambda width: abs(size(width) - wanted))


def image(size: int) -> tuple[Tensor, Tensor]:
    """(1, C, y, x) on -1 to 1, and a mask (1, 1, y, x)."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    picture = torch.stack([torch.sin(3 * x + band) * torch.cos(2 * y) for band in range(BANDS)])
    hole = x * x + y * y < 4 * HIDDEN / torch.pi
    return picture[None], hole[None, None].float()


def by_network(network: nn.Module, given: argparse.Namespace) -> Fill:
    """What `Trained.inpaint` does."""
    there = network.to(given.device).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kind = torch.device(given.device).type

    @torch.inference_mode()
    def fill(images: Tensor, mask: Tensor) -> Tensor:
        with torch.autocast(kind, torch.bfloat16, enabled=given.precision == "bf16"):
            made = there(images.to(given.device), mask.to(given.device))
        return composite(made.refined.float().cpu(), images, mask)

    return fill


def take_turns(fills: dict[str, Fill], images: Tensor, mask: Tensor, given: argparse.Namespace) -> dict[str, float]:
    """Median seconds of one image, by name; every fill leaves known pixels as they are."""
    clock: Callable[[], float] = (
        time.process_time if given.threads == 1 and given.device == "cpu" else time.perf_counter
    )
    taken: dict[str, list[float]] = {name: [] for name in fills}
    for turn in range(given.repeats + 1):
        for name, fill in fills.items():
            begin = clock()
            made = fill(images, mask)
            if turn:
                taken[name].append(clock() - begin)
            if not torch.equal(made.masked_fill(mask > 0.5, 0), images.masked_fill(mask > 0.5, 0)):
                raise SystemExit(f"{name} changed what is known")
    return {name: statistics.median(each) for name, each in taken.items()}


def report(size: int, found: dict[str, Any]) -> None:
    """Seconds, and how many times as long as the first each takes."""
    print(f"\n{size} x {size} pixels")
    base = next(iter(found.values()))
    for name, seconds in found.items():
        print(f"{name:34}{seconds:9.3f} s {seconds / base:7.2f} x")


if __name__ == "__main__":
    main()
