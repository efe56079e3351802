"""A training step of RS-SPADE, and generation, in float32 and bfloat16, contiguous and channels last.

    python benchmarks/gan_step.py [--size 128] [--batch 8] [--threads 1] [--repeats 5] [--device cpu] [--compile]

The networks are those that the settings give without a word (U-Net of width 64, stems of 128 channels, 70x70
patches), with land cover, radar and terrain to 4 bands. A step is what the trainer does: generate once, discriminator
on real and generated images in one batch, generator by adversarial loss and L1 through the discriminator, a fused
Adam for each. Generation is without gradients, in evaluation. The contestants:

float32
    the networks as they are made.
channels last
    the same in channels-last memory order.
bfloat16
    under autocast; weights, statistics and losses stay float32.
bfloat16, channels last
    both.
..., compiled
    with --compile: both, and ``torch.compile`` of generator and discriminator.

Every measurement is a process of its own, which keeps freed memory and takes some steps first; contestants
take turns, and medians are shown. With one thread on a CPU it is CPU seconds that count, else those of the clock.
Without bfloat16 units (AMX, tensor cores) the second half is no faster.
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

CONTESTANTS = ("float32", "channels last", "bfloat16", "bfloat16, channels last")
COMPILED = "bfloat16, channels last, compiled"
BANDS = 4


def main() -> None:
    """Let the contestants take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=128, help="pixels along a chip's side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="steps in one measurement, after as many to warm up")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch; of no matter on a GPU")
    parser.add_argument("--width", type=int, default=64, help="width of generator and discriminator")
    parser.add_argument("--hidden", type=int, default=128, help="channels that a source is embedded into")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="with torch.compile, too")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--one", metavar="CONTESTANT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments)))
        return
    runs = take_turns((*CONTESTANTS, COMPILED) if arguments.compile else CONTESTANTS, arguments.repeats)
    report(runs)
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1))


def measure(contestant: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Milliseconds a training step, and images a second in generation."""
    import torch

    from rsmodels.nets.memory import keep_freed_memory

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    keep_freed_memory()
    step, generate = made(contestant, arguments)
    on_gpu = arguments.device.startswith("cuda")
    clock = time.perf_counter if on_gpu or arguments.threads > 1 else time.process_time

    def seconds(act: Callable[[], None]) -> float:
        for _ in range(arguments.steps):
            act()
        if on_gpu:
            torch.cuda.synchronize()
        begin = clock()
        for _ in range(arguments.steps):
            act()
        if on_gpu:
            torch.cuda.synchronize()
        return (clock() - begin) / arguments.steps

    return {"step_ms": 1000 * seconds(step), "images_per_second": arguments.batch / seconds(generate)}


def made(contestant: str, arguments: argparse.Namespace) -> tuple[Callable[[], None], Callable[[], None]]:
    """A training step and a generation of one batch."""
    import torch

    from rsmodels import losses
    from rsmodels.nets.conditions import Condition
    from rsmodels.nets.patch import PatchDiscriminator, PatchNetwork
    from rsmodels.nets.rs_spade import RsSpadeGenerator, RsSpadeNetwork

    side, batch = arguments.size, arguments.batch
    conditions = (
        Condition(name="landcover", channels=9, classes=True),
        Condition(name="radar", channels=2),
        Condition(name="terrain", channels=5),
    )
    settings = RsSpadeNetwork(width=arguments.width, hidden=arguments.hidden)
    generator: Any = RsSpadeGenerator(conditions, BANDS, side, settings)
    discriminator: Any = PatchDiscriminator(conditions, BANDS, PatchNetwork(width=arguments.width))
    values = {
        "landcover": torch.randint(0, 9, (batch, side, side)),
        "radar": torch.randn(batch, 2, side, side),
        "terrain": torch.randn(batch, 5, side, side),
        "image": torch.rand(batch, BANDS, side, side) * 2 - 1,
    }
    last = "channels last" in contestant
    order = torch.channels_last if last else torch.contiguous_format
    values = {
        name: tensor.to(arguments.device, memory_format=order if tensor.ndim == 4 else torch.preserve_format)
        for name, tensor in values.items()
    }
    generator, discriminator = (
        net.to(device=arguments.device, memory_format=order) for net in (generator, discriminator)
    )
    adams = [
        torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for net in (generator, discriminator)
    ]
    if "compiled" in contestant:
        generator, discriminator = torch.compile(generator), torch.compile(discriminator)
    real = values.pop("image")
    kind = torch.device(arguments.device).type

    def autocast() -> Any:
        return torch.autocast(kind, torch.bfloat16, enabled="bfloat16" in contestant)

    def step() -> None:
        generator.train()
        with autocast():
            fake = generator(values)
            said = discriminator(values, torch.cat([real, fake.detach()]))[-1].chunk(2)
            critic = (losses.gan_loss(said[0], True) + losses.gan_loss(said[1], False)) / 2
        adams[1].zero_grad(set_to_none=True)
        critic.backward()
        adams[1].step()
        discriminator.requires_grad_(False)
        with autocast():
            said = discriminator(values, torch.cat([real, fake]))[-1].chunk(2)
            total = losses.gan_loss(said[1], True, for_generator=True) + 100 * losses.masked_l1(fake, real)
        adams[0].zero_grad(set_to_none=True)
        total.backward()
        adams[0].step()
        discriminator.requires_grad_(True)

    @torch.inference_mode()
    def generate() -> None:
        generator.eval()
        with autocast():
            generator(values)

    return step, generate


def take_turns(contestants: tuple[str, ...], repeats: int) -> list[dict[str, Any]]:
    """Every measurement in a process of its own, contestants interleaved."""
    runs = []
    for _ in range(repeats):
        for contestant in contestants:
            command = [sys.executable, __file__, *sys.argv[1:], "--one", contestant]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append({"contestant": contestant, **json.loads(answer.stdout)})
    return runs


def report(runs: list[dict[str, Any]]) -> None:
    """Print medians, and how many times faster than float32 each is."""
    print(f"{'':34} {'ms/step':>9} {'times':>6} {'generated/s':>12} {'times':>6}")
    middle = {
        name: [statistics.median(run[key] for run in runs if run["contestant"] == name) for key in list(runs[0])[1:]]
        for name in dict.fromkeys(run["contestant"] for run in runs)
    }
    base = middle["float32"]
    for name, (step, images) in middle.items():
        print(f"{name:34} {step:9.0f} {base[0] / step:6.2f} {images:12.1f} {images / base[1]:6.2f}")


if __name__ == "__main__":
    main()
