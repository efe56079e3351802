"""odc-stac and stackstac against the same server and the same faults: ``python -m tests.drill.peers --out drill``.

Each loads the two optical granules of the source onto one grid, from items that are given: a search is not theirs.
They try a request as often as rsprep does. Correct: the pixels of a calm day. Loud: an exception. Silently wrong:
other pixels.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.drill.ground import SERVED, prepare
from tests.drill.running import forked, seen, serving, tell
from tests.drill.table import recorded
from tests.drill.trials import SERVER_FAULTS, Trial
from tests.rsprep.job.tiny import EPSG, NORTH, WEST

BANDS = ["red", "nir"]
SIDE, AWAY = 160, 2400.0
"""Pixels of the grid, and metres by which it lies within the granules: across the seam between them."""
GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.02",
    "GDAL_HTTP_TIMEOUT": "5",
}


def by_odc(items: list[Any], strict: bool) -> Any:
    """(band, time, y, x) as odc-stac loads it, not lazily."""
    import numpy as np
    import odc.stac
    import rasterio
    from affine import Affine
    from odc.geo.geobox import GeoBox

    grid = GeoBox((SIDE, SIDE), Affine(10, 0, WEST + AWAY, 0, -10, NORTH - AWAY), f"EPSG:{EPSG}")
    odc.stac.configure_rio(**GDAL)
    with rasterio.Env(**GDAL):
        loaded = odc.stac.load(items, bands=BANDS, geobox=grid, groupby="id", fail_on_error=strict, nodata=0)
    return np.stack([loaded[band].to_numpy() for band in BANDS])


def by_stackstac(items: list[Any]) -> Any:
    """(time, band, y, x) as stackstac loads it."""
    import numpy as np
    import pandas as pd
    import stackstac
    from stackstac.rio_reader import DEFAULT_GDAL_ENV

    parse = pd.to_datetime

    def lenient(*values: Any, infer_datetime_format: bool = True, **options: Any) -> Any:
        return parse(*values, **options)

    pd.to_datetime = lenient  # pandas 3 has dropped an argument that stackstac 0.5 gives
    edge = SIDE * 10.0
    bounds = (WEST + AWAY, NORTH - AWAY - edge, WEST + AWAY + edge, NORTH - AWAY)
    environment = DEFAULT_GDAL_ENV.updated(always=GDAL)
    stack = stackstac.stack(
        items,
        assets=BANDS,
        epsg=EPSG,
        resolution=10,
        bounds=bounds,
        rescale=False,
        gdal_env=environment,
        fill_value=np.float64("nan"),
    )
    return stack.compute(scheduler="synchronous").to_numpy()


READERS: dict[str, Callable[[list[Any]], Any]] = {
    "odc-stac, fail_on_error=True": partial(by_odc, strict=True),
    "odc-stac, fail_on_error=False": partial(by_odc, strict=False),
    "stackstac": by_stackstac,
}


def read(name: str, root: Path, url: str) -> dict[str, Any]:
    """Digest of what a reader makes of the source, or its exception."""
    import hashlib
    import warnings

    import numpy as np
    import pystac

    warnings.simplefilter("ignore")
    items = []
    for document in json.loads((root / SERVED / "items.json").read_text()):
        if document["collection"] == "s2":
            for asset in document["assets"].values():
                asset["href"], asset["type"] = url + asset["href"], "image/tiff"
            document["properties"]["proj:epsg"] = EPSG
            items.append(pystac.Item.from_dict(document))
    try:
        pixels = np.ascontiguousarray(READERS[name](items))
    except Exception as error:  # whatever it raises is its word
        return {"loud": f"{type(error).__name__}: {error}"[:300]}
    return {"digest": hashlib.sha256(pixels.tobytes()).hexdigest(), "filled": float((np.nan_to_num(pixels) > 0).mean())}


def trials(seeds: int) -> Iterator[Trial]:
    """The faults of files, not of searches."""
    for seed in range(seeds):
        for stage in ("header", "block"):
            for fault in SERVER_FAULTS[stage]:
                for lasts in (False, True):
                    yield Trial(fault=fault, stage=stage, lasts=lasts, seed=seed)


def hold(
    name: str, trial: Trial, root: Path, url: str, calm: dict[str, Any], requests: dict[str, int]
) -> dict[str, Any]:
    """One reader in one trial."""
    at = random.Random(f"{trial.name}").randint(1, max(1, requests.get(trial.stage, 1)))
    tell(url, {"kind": trial.fault, "stage": trial.stage, "at": at, "lasts": trial.lasts, "seed": trial.seed})
    ended = forked(partial(read, name, root, url), root / "told.json")
    struck = seen(url)["struck"]
    result = ended.result
    if "loud" in result or ended.killed or ended.hung:
        verdict = "loud"
    elif not struck:
        verdict = "not met"
    else:
        verdict = "correct" if result["digest"] == calm["digest"] else "silently wrong"
    return {"name": f"{name}: {trial.name}", "reader": name, "verdict": verdict, **result}


def main() -> int:
    """Run what is not yet done and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill.peers", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("drill"))
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    for module in ("odc.stac", "pystac", "stackstac"):
        importlib.import_module(module)  # once, and not by each child
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "peers.jsonl"
    records = recorded(file)
    with tempfile.TemporaryDirectory(prefix="drill-") as place:
        root = prepare(Path(place)).root
        with serving(root) as url, file.open("a", encoding="utf-8") as out:
            for name in READERS:
                tell(url, {})
                calm = forked(partial(read, name, root, url), root / "told.json").result
                if "digest" not in calm:
                    raise RuntimeError(f"{name} fails on a calm day: {calm}")
                requests = seen(url)
                print(name, calm, requests, flush=True)
                for trial in trials(asked.seeds):
                    if f"{name}: {trial.name}" in records:
                        continue
                    record = hold(name, trial, root, url, calm, requests)
                    records[record["name"]] = record
                    out.write(json.dumps(record) + "\n")
                    out.flush()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records.values():
        counts[record["reader"]][record["verdict"]] += 1
    (asked.out / "peers.json").write_text(
        json.dumps({key: dict(count) for key, count in counts.items()}, indent=1) + "\n"
    )
    for name, count in counts.items():
        print(name, dict(count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
