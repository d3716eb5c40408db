"""`cdp segment`: the segments, what they mean, and how many people are in them.

Belongs here: showing them. Does not belong here: parsing and compiling rules (`cdp.segmentation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from cdp.commands.looking import HELP_OF_ROLE, declared_roles
from cdp.commands.terminal import CommandFailed, Exit, answer, cell, count, grid, out
from cdp.segmentation.compiling import verdict
from cdp.segmentation.definitions import Segment, load_catalogue, load_definitions
from cdp.warehouse.settings import Settings, load_settings

app = typer.Typer(help="Segments: definitions and members.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")]
OfRole = Annotated[str | None, typer.Option("--role", help=HELP_OF_ROLE)]
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
def list_segments(role: OfRole = None, as_json: AsJson = False) -> None:
    """List the segments with their sizes in the published set."""
    found = sizes(load_settings(), role)
    if as_json:
        answer([{"segment": each.name, "rule": each.rule, "size": each.size} for each in found])
        return
    table = grid("segment", "people", "rule", numbers=("people",))
    for each in found:
        table.add_row(each.name, count(each.size), cell(each.rule))
    out.print(table)


@app.command("show")
def show(name: Name, role: OfRole = None, as_json: AsJson = False) -> None:
    """Show a segment: its rule, what it says in English, whose it is and how large it is."""
    settings = load_settings()
    found = _one(settings, name)
    size = next(each.size for each in sizes(settings, role) if each.name == name)
    told = {
        "segment": found.name,
        "people": size,
        "description": found.description,
        "rule": found.rule_text,
        "meaning": found.sentence,
        "rule_version": found.rule_version,
        "owner": found.owner,
        "purpose": found.purpose,
    }
    if as_json:
        answer(told)
        return
    table = grid("", "")
    table.show_header = False
    for key, value in told.items():
        table.add_row(key, cell(value))
    out.print(table)


@app.command("compile")
def compile_rule(
    name: Name,
    dialect: Annotated[
        str, typer.Option(help="Engine whose SQL to write: duckdb, snowflake, bigquery, spark.")
    ] = "duckdb",
) -> None:
    """Print the condition that decides who is in a segment, as SQL over its features."""
    from sqlglot.dialects.dialect import Dialects

    known = sorted(each.value for each in Dialects if each.value)
    if dialect not in known:
        raise CommandFailed(
            f"no engine is called '{dialect}'; known: {', '.join(known)}", Exit.WRONG_INPUT
        )
    sql = verdict(_one(load_settings(), name).rule).sql(dialect=dialect, pretty=True)
    out.print(sql, markup=False, soft_wrap=True)


def sizes(settings: Settings, role: str | None = None) -> list[Size]:
    """Every declared segment with its size in the published set of a role.

    Where none is named, each is counted for the first declared role that has it.
    """
    from cdp.warehouse.published import published
    from cdp.warehouse.readers import NothingPublished

    declared = definitions(settings)
    found: dict[str, int] = {}
    try:
        with published(settings) as current:
            for each in declared_roles(settings, current) if role is None else [role]:
                with current.seen_by(each) as seen:
                    for name in declared.keys() - found.keys():
                        if seen.has_table(name):
                            found[name] = seen.rows(f'SELECT count(*) FROM "{name}"')[0][0]
                if declared.keys() == found.keys():
                    break
    except NothingPublished:
        if role is not None:
            raise
    return [Size(name, each.rule_text, found.get(name)) for name, each in declared.items()]


def definitions(settings: Settings) -> dict[str, Segment]:
    """The declared segments by name."""
    catalogue = load_catalogue(settings.config)
    found = load_definitions(settings.config, catalogue, settings.base_currency)
    return {each.name: each for each in found}


def _one(settings: Settings, name: str) -> Segment:
    declared = definitions(settings)
    if name not in declared:
        raise CommandFailed(
            f"no segment is called '{name}'; declared: {', '.join(sorted(declared))}",
            Exit.NOT_FOUND,
        )
    return declared[name]
