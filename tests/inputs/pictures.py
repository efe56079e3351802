"""Pictures and masks, sound ones and bad ones, each kind in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64


def write_pictures(root: Path, rng: np.random.Generator) -> None:
    """Folders images, masks and what can be wrong with either; CSV files beside them."""

    def save(name: str, values: NDArray[np.generic]) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)

    colours = rng.integers(0, 255, (SIDE, SIDE, 3)).astype("uint8")
    mask = np.zeros((SIDE, SIDE), "uint8")
    mask[12:44, 12:44] = 255
    for number in range(4):
        save(f"images/{number}.png", np.roll(colours, number, 0))
        save(f"masks/{number}.png", np.roll(mask, number, 0))
    save("clear/a.png", mask * 0)
    save("full/a.png", mask * 0 + 255)
    save("grey/a.png", colours[..., 0])
    save("rgba/a.png", np.dstack([colours, mask]))
    save("rgb-mask/a.png", np.stack([mask] * 3, -1))
    save("tiny/a.png", colours[:8, :8])
    save("ones/a.png", mask // 255)
    save("ones/b.png", mask > 0)
    save("sizes/a.png", mask)
    save("sizes/b.png", mask[:32, :32])
    whole = (root / "images" / "0.png").read_bytes()
    for name, content in {
        "cut": whole[: len(whole) // 2],
        "empty-file": b"",
        "text": b"hello",
        "head": whole[:20],
    }.items():
        (root / name).mkdir()
        (root / name / "a.png").write_bytes(content)
    (root / "nothing").mkdir()
    (root / "gif").mkdir()
    (root / "gif" / "a.gif").write_bytes(b"GIF89a")
    (root / "scores.csv").write_text("x,y\n1,2\n")
    (root / "none.csv").write_text("")
    (root / "dev.csv").write_text("image,split\n0.png,dev\n")
    (root / "one.csv").write_text("image,split\n0.png,train\n")
    (root / "twice.csv").write_text("image,split\n0.png,train\n0.png,val\n")
    (root / "utf16.csv").write_bytes("image,split\n".encode("utf-16"))
    (root / "page.html").write_text("<html></html>")
    (root / "weights.pt").write_bytes(b"PK")
    (root / "weights.safetensors").write_bytes(b"x" * 40)
