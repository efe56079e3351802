"""Ways to scale and shift features by vectors of classes that lie where the label map has the class.

    python benchmarks/modulation.py [--size 128] [--channels 64] [--rows 16] [--batch 4] [--threads 1] [--repeats 7]

Every way takes features x (B, C, y, x), tables of γ and β (B, rows, C), one for each chip as CSEBGAN has them, and the
label map, and gives x·γ + β with the γ and β of each pixel's class; then gradients run back to x and to both tables.
The contestants:

rsprep
    ``placing.modulated``: one autograd function that lays tables out and keeps no map of them.
placed, then x·γ + β
    ``placing.placed`` for each table: its own autograd, too, with the maps kept.
lookup
    ``table[chip, label]``.
gather
    ``torch.gather`` along the classes.
product with one-hot
    a matrix product a chip of the one-hot map with the table.
one-hot 1x1 convolution
    the same as a convolution whose kernels are the tables, a group a chip.
maps at hand
    γ and β laid out before, and no gradient to them: what any way takes at least.
SPADE's block
    γ and β by two 3x3 convolutions from the one-hot map, by way of 128 channels; other numbers, of course.

All but the last two must agree, in values and gradients, with the lookup in double precision. Contestants take turns
within one process, after one turn to warm up; medians, with the memory that is kept for the way back. With one thread
it is CPU seconds that count, else those of the clock.
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
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rsmodels.nets.memory import keep_freed_memory
from rsmodels.nets.placing import modulated, placed

Way = Callable[[Tensor, Tensor, Tensor], Tensor]
HIDDEN = 128
ORDERS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
APART = 1e-4
"""Largest difference in float32 from double precision, against the largest value."""


def main() -> None:
    """Check that all agree, let them take turns, print a table for each memory order and precision."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=128, help="pixels along a chip's side")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--rows", type=int, default=16, help="classes, unknown among them")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(1)
    keep_freed_memory()
    index = label_map(given).to(given.device)
    runs = []
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        for order, layout in ORDERS.items():
            tensors = [tensor.to(given.device) for tensor in features(given, dtype)]
            tensors = [one.contiguous(memory_format=layout) if one.ndim == 4 else one for one in tensors]
            x, gamma, beta, gradient = tensors
            if dtype == torch.float32:
                assert_equal(index, x, gamma, beta, gradient, layout)
            found = take_turns(ways(index, gamma, beta, layout), (x, gamma, beta), gradient, given)
            report(f"{precision}, {order}", found)
            runs += [{"precision": precision, "order": order, "way": name, **row} for name, row in found.items()]
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1))


def label_map(given: argparse.Namespace) -> Tensor:
    """(B, y, x) of regions some 16 pixels across."""
    coarse = torch.rand(given.batch, given.rows, max(2, given.size // 16), max(2, given.size // 16))
    return F.interpolate(coarse, size=(given.size, given.size), mode="bilinear").argmax(1)


def features(given: argparse.Namespace, dtype: torch.dtype) -> list[Tensor]:
    """x, γ, β, and the gradient that comes back."""
    image, table = (given.batch, given.channels, given.size, given.size), (given.batch, given.rows, given.channels)
    return [torch.randn(shape).to(dtype) for shape in (image, table, table, image)]


def ways(index: Tensor, gamma: Tensor, beta: Tensor, layout: torch.memory_format) -> dict[str, Way]:
    """Each contestant as a function of x, γ and β."""
    batch, rows, channels = gamma.shape
    side, pixels = index.shape[-1], index.flatten(1)
    chips = torch.arange(batch, device=index.device)[:, None, None]
    planes = F.one_hot(index, rows).permute(0, 3, 1, 2).to(gamma.dtype).contiguous()
    one_hot, flat = planes.flatten(2), planes.view(1, batch * rows, side, side)
    maps = [lookup_in(table, index, chips).contiguous(memory_format=layout) for table in (gamma, beta)]
    block = nn.ModuleList([nn.Conv2d(rows, HIDDEN, 3, padding=1), nn.Conv2d(HIDDEN, 2 * channels, 3, padding=1)])
    block.to(device=index.device, dtype=gamma.dtype, memory_format=torch.channels_last)

    def gathered(table: Tensor) -> Tensor:
        where = pixels[:, None].expand(-1, channels, -1)
        return table.transpose(1, 2).gather(2, where).view(batch, channels, side, side)

    def multiplied(table: Tensor) -> Tensor:
        return torch.bmm(table.transpose(1, 2), one_hot).view(batch, channels, side, side)

    def convolved(table: Tensor) -> Tensor:
        kernels = table.transpose(1, 2).reshape(-1, rows, 1, 1)
        return F.conv2d(flat, kernels, groups=batch).view(batch, channels, side, side)

    def by_block(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        scale, shift = block[1](F.relu(block[0](planes))).chunk(2, dim=1)
        return torch.addcmul(x + shift, x, scale)

    def by(lay_out: Callable[[Tensor], Tensor]) -> Way:
        return lambda x, gamma, beta: torch.addcmul(lay_out(beta), x, lay_out(gamma))

    return {
        "rsprep": lambda x, gamma, beta: modulated(x, gamma, beta, index),
        "placed, then x·γ + β": by(lambda table: placed(table, index)),
        "lookup": by(lambda table: lookup_in(table, index, chips)),
        "gather": by(gathered),
        "product with one-hot": by(multiplied),
        "one-hot 1x1 convolution": by(convolved),
        "maps at hand": lambda x, gamma, beta: torch.addcmul(maps[1], x, maps[0]),
        "SPADE's block": by_block,
    }


def lookup_in(table: Tensor, index: Tensor, chips: Tensor) -> Tensor:
    """The table at every pixel, (B, C, y, x), by plain indexing."""
    return table[chips, index].permute(0, 3, 1, 2)


def assert_equal(
    index: Tensor, x: Tensor, gamma: Tensor, beta: Tensor, gradient: Tensor, layout: torch.memory_format
) -> None:
    """Values and gradients of all ways that lay out the same tables, against the lookup in double precision."""
    exact = [tensor.double().requires_grad_() for tensor in (x, gamma, beta)]
    expected = result(ways(index, exact[1], exact[2], layout)["lookup"], exact, gradient.double())
    given = [tensor.detach().clone().requires_grad_() for tensor in (x, gamma, beta)]
    for name, way in ways(index, given[1], given[2], layout).items():
        if name in ("maps at hand", "SPADE's block"):
            continue
        for found, want in zip(result(way, given, gradient), expected, strict=True):
            apart = float((found.double() - want).abs().max() / want.abs().max())
            assert apart < APART, f"{name} differs by {apart:.1e}"


def result(way: Way, given: list[Tensor], gradient: Tensor) -> list[Tensor]:
    """What a way gives, and the gradients to all that it was given."""
    y = way(*given)
    return [y.detach(), *torch.autograd.grad(y, given, gradient)]


def take_turns(
    contestants: dict[str, Way], given: tuple[Tensor, ...], gradient: Tensor, arguments: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Milliseconds forward and in all, and megabytes kept in between, of each way."""
    x, gamma, beta = (tensor.detach().requires_grad_() for tensor in given)
    on_gpu = arguments.device.startswith("cuda")
    tick = time.perf_counter if on_gpu or arguments.threads > 1 else time.process_time

    def clock() -> float:
        if on_gpu:
            torch.cuda.synchronize()
        return tick()

    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for turn in range(arguments.repeats + 1):
        for name, way in contestants.items():
            begin = clock()
            y = way(x, gamma, beta)
            half = clock()
            y.backward(gradient)
            end = clock()
            for leaf in (x, gamma, beta):
                leaf.grad = None
            if turn:
                times[name].append((half - begin, end - begin))
    return {
        name: {
            "forward_ms": 1000 * statistics.median(row[0] for row in rows),
            "both_ms": 1000 * statistics.median(row[1] for row in rows),
            "kept_mb": kept(contestants[name], x, gamma, beta) / 1e6,
        }
        for name, rows in times.items()
    }


def kept(way: Way, *given: Tensor) -> int:
    """Bytes that are kept for the way back, without x."""
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        way(*given)
    seen.pop(given[0].untyped_storage().data_ptr(), None)
    return sum(seen.values())


def report(title: str, found: dict[str, dict[str, Any]]) -> None:
    """Print medians, and how many times as long as ours each takes."""
    ours = found["rsprep"]["both_ms"]
    print(f"\n{title:26} {'forward ms':>11} {'both ms':>9} {'÷ rsprep':>9} {'kept MB':>8}")
    for name, row in found.items():
        times = row["both_ms"] / ours
        print(f"{name:26} {row['forward_ms']:11.1f} {row['both_ms']:9.1f} {times:9.2f} {row['kept_mb']:8.1f}")


if __name__ == "__main__":
    main()
