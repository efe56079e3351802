"""Data sets as inputs: inspect, verify, report, export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rsprep.cli.main import main
from tests.inputs.table import Kit, bad, command, odd

SMALL = "{shared}/small"
FIRST = "33N-0000-0000"
for verb in ("inspect", "verify", "report"):
    command(verb, "nowhere", "store/not-found", "nowhere", verb, "nowhere")
    command(verb, "a file", "store/not-found", "recipe.yaml", verb, "{shared}/sound/recipe.yaml")
    command(verb, "pictures", "store/not-found", "images", verb, "{shared}/pictures/images")
    command(verb, "a name without end", "input/name-too-long", "xxxx", verb, "x" * 400)
    command(verb, "another's server", "config/bad-address", "ftp://", verb, "ftp://host/x")
    command(verb, "the home of nobody", "config/bad-address", "~nobody-of", verb, "~nobody-of-this-name/x")
command("export", "nowhere", "store/not-found", "nowhere", "export", "nowhere", "out")
command("export", "no such chip", "store/no-such-chip", "nope", "export", SMALL, "out", "--chip", "nope")
command("export", "no such layer", "store/no-such-layer", "s9", "export", SMALL, "out", "--layers", "s9")
command("export", "into a file", "store/not-a-folder", "recipe.yaml", "export", SMALL, "{shared}/sound/recipe.yaml")
command("export", "below a file", "store/not-a-folder", "recipe.yaml", "export", SMALL, "{shared}/sound/recipe.yaml/x")
command("export", "into a bucket", "config/not-local", "s3://bucket/x", "export", SMALL, "s3://bucket/x")
command("export", "into a name without end", "input/name-too-long", "xxxx", "export", SMALL, "x" * 400)


def damaged(title: str, verb: str, name: str, shown: str, change: Callable[[Path], object]) -> None:
    """The small data set with one thing wrong."""

    def make(kit: Kit) -> list[str]:
        change(kit.copy("small"))
        return [verb, "small", *(["out", "--chip", FIRST] if verb == "export" else [])]

    bad(verb, title, f"store/{name}", shown, make)


def root(change: Callable[[Any], object]) -> Callable[[Path], object]:
    def edit(dataset: Path) -> None:
        path = dataset / "chips.zarr" / "zarr.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return edit


def gone(name: str) -> Callable[[Path], object]:
    return lambda dataset: shutil.rmtree(dataset / name) if (dataset / name).is_dir() else (dataset / name).unlink()


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda dataset: (dataset / name).write_text(content)


damaged("a journal that is gone", "inspect", "not-found", "small", gone("journal.sqlite"))
damaged("an empty journal", "verify", "not-a-journal", "journal.sqlite", text("journal.sqlite", ""))
damaged("a journal of text", "report", "not-a-journal", "journal.sqlite", text("journal.sqlite", "x" * 500))
damaged("no settings", "inspect", "no-config", "config.lock.yaml", lambda dataset: None)
damaged("no store", "verify", "not-found", "chips.zarr", gone("chips.zarr"))
damaged("no store", "export", "not-a-store", "small", gone("chips.zarr"))
for verb in ("verify", "export"):
    damaged("metadata that are empty", verb, "bad-metadata", "zarr.json", text("chips.zarr/zarr.json", ""))
    damaged("metadata that are a list", verb, "bad-metadata", "zarr.json", text("chips.zarr/zarr.json", "[]"))
    damaged("a store of another's", verb, "not-a-store", "chips.zarr", root(lambda one: one.update(attributes={})))
    damaged("a schema that is text", verb, "not-a-store", "chips.zarr",
            root(lambda one: one["attributes"].update(rsprep_schema="x")))  # fmt: skip
    damaged("a schema to come", verb, "schema-version", "99",
            root(lambda one: one["attributes"]["rsprep_schema"].update(version=99)))  # fmt: skip
damaged("a layer that is gone", "export", "missing-shard", "s2", gone("chips.zarr/s2"))


@odd("export", "blanks within lists, a chip twice")
def _(kit: Kit) -> None:
    given = ["--layers", " lulc, terrain", "--chip", FIRST, "--chip", FIRST]
    assert main(["export", str(kit.shared / "small"), "out", *given]) == 0
    assert sorted(path.parent.name for path in (kit.here / "out").rglob("*.tif")) == ["lulc", "terrain"]


@odd("inspect", "the store instead of its folder, and a slash at the end")
def _(kit: Kit) -> None:
    store = str(kit.shared / "small" / "chips.zarr") + "/"
    assert main(["export", store, "out", "--layers", "lulc", "--chip", FIRST]) == 0
    assert [path.name for path in (kit.here / "out" / "lulc").iterdir()] == [f"{FIRST}.tif"]
