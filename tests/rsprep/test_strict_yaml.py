from __future__ import annotations

import pytest
import yaml

from rsprep.resources import shipped
from rsprep.strict_yaml import load_yaml


@pytest.mark.parametrize(
    "text",
    ["a: 1\nb: 2\na: 3\n", "x: {a: 1, a: 1}", "x:\n  - {1: a, 1: b}\n", "x:\n  y:\n    a:\n    a:\n"],
)
def test_a_key_that_is_given_twice_is_an_error(text: str) -> None:
    """Of two nodata or two offsets the last would be taken, and nobody would know."""
    with pytest.raises(yaml.YAMLError, match=r"the key .* is given twice in one mapping[\s\S]*line"):
        load_yaml(text)


def test_everything_else_is_as_the_library_reads_it() -> None:
    text = (
        "base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\nlist: [{a: 1}, {a: 2}]\nnone:\nflag: yes\nnumber: .nan\n"
    )
    read, plain = load_yaml(text), yaml.safe_load(text)
    assert repr(read) == repr(plain)
    assert read["other"] == {"a": 1, "b": 3}
    with pytest.raises(yaml.YAMLError):
        load_yaml("x: !!python/object/apply:os.getcwd []")


@pytest.mark.parametrize("folder", ["catalogs/sources", "catalogs/crosswalks", "pipelines"])
def test_no_shipped_file_gives_a_key_twice(folder: str) -> None:
    for path in shipped(folder).glob("*.yaml"):
        load_yaml(path.read_text(encoding="utf-8"))
