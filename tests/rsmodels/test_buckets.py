"""Training, evaluation and synthesis with everything in a bucket: the same weights and pixels as on a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from rsmodels.cli.main import main
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.training import checkpoint
from rsmodels.training.load import load
from rsprep.cloud import lease, objects
from rsprep.cloud.address import Address
from rsprep.cloud.workplace import worked_in
from rsprep.errors import BuildError, StoreError
from rsprep.job.verify import verify
from tests.fakes.bucket import outage, s3_server
from tests.rsmodels.conftest import build_tiny

GENERATOR = {"model": "rs-spade", "network": {"width": 4, "hidden": 4}, "discriminator": {"width": 4}}
HOME = Address("s3", "bucket", "models")


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with s3_server():
        yield
    torch.set_num_threads(threads)


def test_the_loop_in_a_bucket(s3: None, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_tiny(HOME / "tiny", catalog=str(tmp_path / "catalog"))
    assert ChipSource.open(HOME / "tiny").identity == ChipSource.open(tiny_dataset).identity
    recipe = tmp_path / "generator.yaml"
    recipe.write_text(yaml.safe_dump(GENERATOR))
    train = ["train", "--config", str(recipe), "--steps", "4", "--batch", "4", "--device", "cpu"]
    there = [*train, "--data", f"{HOME}/tiny", "--out", f"{HOME}/generator"]
    assert main([*there, "--max-steps", "2"]) == 0
    assert main(there) == 0  # goes on from what the first has pushed
    assert main([*train, "--data", str(tiny_dataset), "--out", str(tmp_path / "generator")]) == 0
    far, near = load(HOME / "generator", device="cpu"), load(tmp_path / "generator", device="cpu")
    assert (far.path.name, far.settings.out) == (near.path.name, f"{HOME}/generator")
    assert far.address == f"{HOME}/generator/checkpoints/step-00000004"
    hashes = [checkpoint.read_manifest(one.path).files for one in (far, near)]
    assert hashes[0]["model.safetensors"] == hashes[1]["model.safetensors"]
    used = ["--data", f"{HOME}/tiny", "--device", "cpu"]
    assert main(["evaluate", f"{HOME}/generator", *used, "--random-chips", "1"]) == 0
    evaluation = HOME / "generator" / "evaluations" / "step-00000004-tiny-test"
    assert objects.names(evaluation)[0] == [".lease", "chips.parquet", "metrics.json", "report.html"]
    made = ["--checkpoint", f"{HOME}/generator", "--n", "1x", "--catalog", str(tmp_path / "catalog")]
    assert main(["synth-augment", *used, *made, "--out", f"{HOME}/synthetic"]) == 0
    assert verify(HOME / "synthetic").ok
    source = ChipSource.open(HOME / "synthetic")
    assert source.chips.synthetic.all()
    assert "seen.parquet" in objects.names(HOME / "synthetic")[0]
    mixed = ["--data", f"{HOME}/synthetic", "--data", f"{HOME}/tiny", "--out", f"{HOME}/mixed", "--max-steps", "1"]
    assert main([*train, *mixed]) == 0
    capsys.readouterr()


def test_a_folder_in_a_bucket_is_worked_in_by_one(s3: None) -> None:
    home = HOME / "worked"
    with worked_in(home) as folder:
        (folder / "a.txt").write_text("a")
        with pytest.raises(StoreError, match="store/locked"), worked_in(home):
            pass
    assert folder.name == "worked"
    assert not folder.exists()
    assert objects.as_bytes(home / "a.txt") == b"a"
    with worked_in(home) as folder:
        assert (folder / "a.txt").read_text() == "a"


def test_what_does_not_arrive_is_kept_here(s3: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.0)
    with (
        pytest.raises(BuildError, match="build/not-pushed") as told,
        outage(after=1),
        worked_in(HOME / "kept") as folder,
    ):
        (folder / "long.txt").write_text("a day of work")
    assert str(folder) in str(told.value)
    assert (folder / "long.txt").read_text() == "a day of work"


def test_a_torn_checkpoint_falls_back_to_the_one_before(s3: None) -> None:
    """Pitfall 51: a death between two files of a checkpoint leaves one without its manifest."""
    with worked_in(HOME / "torn") as run:
        for step in (1, 2):
            checkpoint.write(run, step, tensors={"model.safetensors": {"a": torch.ones(2)}}, texts={})
    objects.delete(HOME / "torn" / "checkpoints" / "step-00000002" / "manifest.json")
    assert checkpoint.find(HOME / "torn").step == 1
    with pytest.raises(ModelError, match="model/no-checkpoint"):
        checkpoint.find(HOME / "nothing")
