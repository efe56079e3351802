"""YAML that people write by hand: plain values only, and a key that is given twice is an error."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

MERGE = "tag:yaml.org,2002:merge"
"""The key ``<<``, which brings in the keys of another mapping and may be overruled."""


class _Loader(yaml.SafeLoader):
    """Safe, and strict: of a key given twice the library takes the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.tag == MERGE:
                continue
            name = self.construct_object(key, deep=True)
            if isinstance(name, Hashable) and name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} is given twice in one mapping", key.start_mark
                )
            if isinstance(name, Hashable):
                seen.add(name)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """What a YAML text holds.

    Raises
    ------
    yaml.YAMLError : the text is not YAML, or a mapping has a key twice; the message tells line and column.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
