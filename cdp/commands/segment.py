"""`cdp segment`: the segments, what they mean, and how many people are in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from cdp.commands.terminal import CommandFailed, Exit, answer, count, grid, out
from cdp.segmentation.definitions import SegmentDefinition, load_catalogue, load_definitions
from cdp.warehouse.settings import Settings, load_settings

app = typer.Typer(help="Segments: definitions and members.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")]
Name = Annotated[str, typer.Argument(help="The segment's name.")]


@dataclass(frozen=True)
class Size:
    """A segment and how many people are in it; None where it is not published yet."""

    name: str
    rule: str
    size: int | None


@app.callback()
def _segments() -> None:
    """Segments: definitions and members."""


@app.command("list")
def list_segments(as_json: AsJson = False) -> None:
    """List the segments with their sizes in the published set."""
    found = sizes(load_settings())
    if as_json:
        answer([{"segment": each.name, "rule": each.rule, "size": each.size} for each in found])
        return
    table = grid("segment", "people", "rule", numbers=("people",))
    for each in found:
        table.add_row(each.name, count(each.size), each.rule)
    out.print(table)


def sizes(settings: Settings) -> list[Size]:
    """Every declared segment with its size in the published set."""
    import duckdb

    from cdp.warehouse.readers import NothingPublished, open_reader

    declared = definitions(settings)
    try:
        reader = open_reader(settings, "analyst")
    except NothingPublished:
        return [Size(name, each.rule_text, None) for name, each in declared.items()]
    found = []
    with reader:
        for name, each in declared.items():
            try:
                row = reader.execute(f'SELECT count(*) FROM "{name}"').fetchone()
            except duckdb.CatalogException:
                row = None
            found.append(Size(name, each.rule_text, row[0] if row else None))
    return found


def definitions(settings: Settings) -> dict[str, SegmentDefinition]:
    """The declared segments by name."""
    catalogue = load_catalogue(settings.config)
    found = load_definitions(settings.config, catalogue, settings.base_currency)
    return {each.name: each for each in found}


def _one(settings: Settings, name: str) -> SegmentDefinition:
    declared = definitions(settings)
    if name not in declared:
        raise CommandFailed(
            f"no segment is called '{name}'; declared: {', '.join(sorted(declared))}",
            Exit.NOT_FOUND,
        )
    return declared[name]
