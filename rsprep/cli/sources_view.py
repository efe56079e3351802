"""What `rsprep sources` shows: tables that fold to the width of a terminal, plain lines elsewhere, JSON on request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rsprep.job.lineup import Lineup
from rsprep.sources.asking import Asked
from rsprep.sources.base import Answer
from rsprep.sources.listing import LAYER_OF, describe, layers_of, needs_account, refusal, short_licence

Answers = Mapping[str, Answer | None]
"""Name of a source to its answer; None where it has no address to be asked at."""

NO_ADDRESS = "give --endpoint"
COLOURS = {"yes": "green", "no": "bold red"}


def show_list(console: Console, asked: Sequence[Asked], answers: Answers | None) -> None:
    """Every source on a line or two: what it has, or whether it answers."""
    if answers is not None:
        _answers(console, answers)
        return
    rows = []
    for one in asked:
        definition = one.definition
        account = "needed" if needs_account(definition) else "none"
        licence = short_licence(definition)
        rows.append([definition.name, " ".join(layers_of(definition)), account, licence, definition.title])
    _table(console, ["source", "layers", "account", "licence", "what it is"], rows)
    console.print()
    _line(console, "`rsprep sources NAME` tells everything about one; `rsprep sources --check` asks each.")


def show_one(console: Console, asked: Asked, answers: Answers | None) -> None:
    """Everything about one source."""
    definition = asked.definition
    told = describe(definition, asked.endpoint)
    rows = list(told.source)
    if answers is not None:
        answer = answers[definition.name]
        rows.insert(1, ("answers", NO_ADDRESS if answer is None else f"{_verdict(answer)}: {answer.detail}"))
    _heading(console, f"{definition.name}: {definition.title}")
    _pairs(console, rows)
    for layer, words in told.layers.items():
        console.print()
        _heading(console, layer)
        _pairs(console, words)


def show_recipe(console: Console, lineup: Lineup, answers: Answers | None) -> None:
    """What a recipe uses, layer by layer, and what a user needs for it."""
    rows = [
        [layer, first, ", then ".join(others) or "–"] + ([lineup.refused.get(layer, "")] if lineup.refused else [])
        for layer, (first, *others) in lineup.layers.items()
    ]
    _table(console, ["layer", "source", "falls back on"] + (["refused"] if lineup.refused else []), rows)
    console.print()
    if any(len(names) > 1 for names in lineup.layers.values()):
        _line(
            console,
            "A chip in which a source shows nothing is taken, as a whole, from the next; its column lulc_source says"
            " from which.",
        )
        console.print()
    definitions = [one.definition for one in lineup.asked]
    _table(
        console,
        ["source", "account", "licence"],
        [[one.name, one.account, short_licence(one)] for one in definitions],
    )
    console.print()
    if answers is not None:
        _answers(console, answers)
        console.print()
    for one in definitions:
        if needs_account(one):
            _line(console, f"`rsprep sources {one.name}` says how to log in.")
    if lineup.without_period:
        _line(console, f"Give --start and --end: {' and '.join(lineup.without_period)} cannot do without.")


def as_json(lineup: Lineup, answers: Answers | None) -> dict[str, Any]:
    """The same for machines: each definition as it is, with the layers that can be built from it and its answer."""
    listed = []
    for one in lineup.asked:
        entry: dict[str, Any] = json.loads(one.definition.model_dump_json(exclude_none=True))  # NaN becomes null
        entry |= {"endpoint": one.address, "layers": list(layers_of(one.definition))}
        entry["needs_account"] = needs_account(one.definition)
        refused = {
            LAYER_OF[name]: why
            for name in one.definition.products.names()
            if (why := refusal(one.definition.product(name))) is not None
        }
        if refused:
            entry["refused"] = refused
        if answers is not None:
            answer = answers[one.definition.name]
            entry["answer"] = {"ok": None, "detail": NO_ADDRESS} if answer is None else vars(answer)
        listed.append(entry)
    found: dict[str, Any] = {"sources": listed}
    if lineup.layers:
        found |= {"layers": {layer: list(names) for layer, names in lineup.layers.items()}}
        found |= {"without_period": list(lineup.without_period)}
    return found


def _verdict(answer: Answer | None) -> str:
    return "–" if answer is None else ("yes" if answer.ok else "no")


def _answers(console: Console, answers: Answers) -> None:
    rows = [[name, _verdict(one), NO_ADDRESS if one is None else one.detail] for name, one in answers.items()]
    _table(console, ["source", "answers", ""], rows)


def _heading(console: Console, text: str) -> None:
    console.print(Text(text, style="bold" if console.is_terminal else ""), soft_wrap=not console.is_terminal)


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=not console.is_terminal)


def _pairs(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    """Keys, and words that may hold several lines."""
    _table(console, None, [list(row) for row in rows])


def _table(console: Console, header: list[str] | None, rows: list[list[str]]) -> None:
    """Columns that fold on a terminal; elsewhere aligned and never folded, for whoever searches in them."""
    if not console.is_terminal:
        _plain(console, [header, *rows] if header else rows)
        return
    table = Table(box=None, pad_edge=False, show_header=header is not None, padding=(0, 2, 0, 0))
    for number, title in enumerate(header or [""] * len(rows[0])):
        first = number == 0
        table.add_column(title, overflow="fold", no_wrap=first, style="cyan" if first else "", header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    console.print(table)


def _plain(console: Console, rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        lead = "".join(f"{cell:<{width}}  " for cell, width in zip(row[:-1], widths, strict=True))
        for number, line in enumerate(row[-1].split("\n")):
            text = (lead if number == 0 else " " * len(lead)) + line
            console.print(Text(text.rstrip()), soft_wrap=True)
