"""Checkpoints are there whole or not at all."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.training import checkpoint

WEIGHTS = {"model.safetensors": {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.int64)}}


def put(run: Path, step: int, score: float | None = None, fill: float = 0.0) -> Path:
    tensors: dict[str, dict[str, Tensor]] = {"model.safetensors": {"a": torch.full((64, 64), fill or float(step))}}
    return checkpoint.write(run, step, tensors=tensors, texts={"config.yaml": f"step: {step}\n"}, score=score)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    extra = tmp_path / "extra"
    extra.write_bytes(b"\x00\x01")
    folder = checkpoint.write(
        tmp_path, 7, tensors=WEIGHTS, texts={"card.md": "# Ä\n"}, files={"seen.parquet": extra}, score=0.5
    )
    manifest = checkpoint.find(folder)
    assert (manifest.step, manifest.score) == (7, 0.5)
    assert checkpoint.read_text(manifest, "card.md") == "# Ä\n"
    assert (folder / "seen.parquet").read_bytes() == b"\x00\x01"
    for name, tensor in checkpoint.read_tensors(manifest, "model.safetensors").items():
        assert torch.equal(tensor, WEIGHTS["model.safetensors"][name])
    assert checkpoint.find(tmp_path).digest == manifest.digest
    assert not list(tmp_path.rglob("*.partial"))


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    one, same, other = put(tmp_path / "a", 1), put(tmp_path / "b", 1), put(tmp_path / "c", 1, fill=9.0)
    digests = [checkpoint.find(path).digest for path in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("file", ["model.safetensors", "config.yaml", "manifest.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_harm_is_found_and_the_one_before_is_taken(tmp_path: Path, file: str, harm: str) -> None:
    put(tmp_path, 1)
    victim = put(tmp_path, 2) / file
    content = bytearray(victim.read_bytes())
    if harm == "remove":
        victim.unlink()
    else:
        content[len(content) // 2] ^= 0x20
        victim.write_bytes(content if harm == "flip" else content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"torn-checkpoint|no-checkpoint"):
        checkpoint.find(victim.parent)
    newest = checkpoint.newest(tmp_path)
    assert newest is not None
    assert newest.step == 1
    assert checkpoint.find(tmp_path).step == 1


def test_names_in_a_manifest_do_not_lead_elsewhere(tmp_path: Path) -> None:
    folder = put(tmp_path, 1)
    record = json.loads((folder / "manifest.json").read_text())
    record["files"]["../config.yaml"] = record["files"]["config.yaml"]
    (folder / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="torn-checkpoint"):
        checkpoint.find(folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no-checkpoint"):
        checkpoint.find(tmp_path / "nowhere")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ModelError, match="no whole checkpoint"):
        checkpoint.find(tmp_path / "run")
    assert checkpoint.newest(tmp_path / "run") is None


@pytest.mark.parametrize(("better", "kept"), [("higher", [2, 4, 5]), ("lower", [1, 4, 5])])
def test_the_best_and_the_newest_stay(tmp_path: Path, better: str, kept: list[int]) -> None:
    for step, score in enumerate([0.1, 0.9, 0.5, None, 0.4], start=1):
        put(tmp_path, step, score)
    (tmp_path / "checkpoints" / ".step-00000003.x.partial").mkdir()
    checkpoint.prune(tmp_path, 2, better)
    assert [int(path.name[5:]) for path in checkpoint.listed(tmp_path)] == kept
    assert not list(tmp_path.rglob("*.partial"))


def test_the_same_step_again(tmp_path: Path) -> None:
    """A whole checkpoint stays as it is; a torn one is replaced."""
    folder = put(tmp_path, 3)
    before = checkpoint.find(folder).digest
    put(tmp_path, 3, fill=8.0)
    assert checkpoint.find(folder).digest == before
    (folder / "config.yaml").unlink()
    put(tmp_path, 3, fill=8.0)
    assert checkpoint.find(folder).digest != before


@pytest.mark.slow
def test_two_hundred_kills(tmp_path: Path) -> None:
    """A process that does nothing but save is killed at random moments: a whole checkpoint is there each time."""
    put(tmp_path, 1)
    dice, last, torn = random.Random(7), 1, 0
    for _ in range(200):
        child = os.fork()
        if child == 0:  # nothing of the test may run on in the child
            step = last
            while True:
                step += 1
                put(tmp_path, step)
                checkpoint.prune(tmp_path, 2, "higher")
        time.sleep(dice.uniform(0.0005, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        torn += len(list((tmp_path / "checkpoints").glob(".*")))
        found = checkpoint.find(tmp_path)
        assert found.step >= last
        assert float(checkpoint.read_tensors(found, "model.safetensors")["a"][0, 0]) == found.step
        assert checkpoint.read_text(found, "config.yaml") == f"step: {found.step}\n"
        last = found.step
    assert torn > 20, "the kills must hit while a checkpoint is written"
    assert last > 10
