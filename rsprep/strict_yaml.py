"""YAML that people write by hand: plain values only, and a key that is given twice is an error.

Bounded, too: a few hundred bytes of aliases can stand for more values than a memory holds.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

MOST_CHARACTERS = 1_000_000
"""Longest text: the longest that this program writes, the record of a build, takes a hundredth."""
MOST_VALUES = 200_000
"""Most values, with those that aliases stand for counted each time."""
DEEPEST = 60
"""Most levels of lists and mappings within one another."""
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
    yaml.YAMLError : the text is not YAML, or a mapping has a key twice (the message tells line and column); it is
        too long, holds too many values, or too many levels.
    """
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"the text has {len(text):,} characters, at most {MOST_CHARACTERS:,} are read")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, DEEPEST)
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("values are nested too deeply") from None
    except ValueError as error:  # a number of too many digits, the thirtieth of February
        raise yaml.YAMLError(str(error)) from None
    finally:
        loader.dispose()


def _count(node: yaml.Node, known: dict[int, int], levels: int) -> int:
    """Values that `node` stands for, aliases written out; `known` ones are not walked again."""
    if levels == 0:
        raise yaml.constructor.ConstructorError(
            None, None, f"more than {DEEPEST} levels within one another", node.start_mark
        )
    total = 1
    if isinstance(node, yaml.CollectionNode):
        if id(node) not in known:
            known[id(node)] = 0
            parts = [part for one in node.value for part in (one if isinstance(one, tuple) else (one,))]
            known[id(node)] = 1 + sum(_count(part, known, levels - 1) for part in parts)
        elif known[id(node)] == 0:
            raise yaml.constructor.ConstructorError(None, None, "an alias of what it lies in", node.start_mark)
        total = known[id(node)]
    if total > MOST_VALUES:
        raise yaml.constructor.ConstructorError(None, None, f"more than {MOST_VALUES:,} values", node.start_mark)
    return total
