"""`cdp config`, `cdp generate`: the declarations, and the models written from them.

Belongs here: showing declarations and complaints about them. Does not belong here: reading them
(`cdp.config`), writing models (`cdp.generation`).
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from cdp.commands.terminal import Exit, answer, count, err, grid, out
from cdp.warehouse.settings import load_settings

app = typer.Typer(help="The deployment's declarations.", no_args_is_help=True)


@app.callback()
def _declarations() -> None:
    """The deployment's declarations."""


@app.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")] = False,
) -> None:
    """Read every declaration and say what is wrong, with file and line."""
    from cdp.config.identity_rules import load_identity_rules, seed_of
    from cdp.config.matching_parameters import load_parameters
    from cdp.config.personal_data import load_personal_data
    from cdp.config.roles import load_roles
    from cdp.config.sources import load_sources
    from cdp.config.staging_models import id_types
    from cdp.config.yaml_text import ConfigError
    from cdp.generation import declared_traits, drift
    from cdp.identity.seed_labels import SEED, seed_labels
    from cdp.segmentation.definitions import load_definitions

    settings = load_settings()
    sources, roles = load_sources(settings).sources, load_roles(settings)
    load_personal_data(settings)
    rules = load_identity_rules(settings, sources, id_types(sources.values()))
    for line, problem in seed_labels(settings).problems:
        raise ConfigError(seed_of(settings, SEED), line, problem)
    load_parameters(settings)
    definitions = load_definitions(
        settings.config, declared_traits(settings), settings.base_currency
    )
    stale = bool(drift(settings))
    if as_json:
        answer(
            {
                "config": settings.config,
                "sources": sorted(sources),
                "segments": sorted(each.name for each in definitions),
                "roles": sorted(roles),
                "identifier_types": sorted(each.identifier_type for each in rules.types),
                "generated_models_up_to_date": not stale,
                "warnings": rules.warnings,
            }
        )
        return
    table = grid("declared", "count", numbers=("count",))
    for name, found in (
        ("sources", sources),
        ("segments", definitions),
        ("roles", roles),
        ("identifier types", rules.types),
    ):
        table.add_row(name, count(len(found)))
    out.print(table)
    for warning in rules.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    out.print(f"[green]✓[/] {settings.config} is right")
    if stale:
        out.print("The generated models are older than the declarations; the next run writes them.")


def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when something would change.")
    ] = False,
) -> None:
    """Write the dbt models that the declarations ask for."""
    from cdp import generation

    settings = load_settings()
    found = generation.drift(settings)
    if not found:
        out.print("The generated models are up to date.")
        return
    for what, paths in (
        ("missing", found.missing),
        ("changed", found.changed),
        ("surplus", found.surplus),
    ):
        for path in paths:
            out.print(f"{what:8} {path}")
    if check:
        err.print(
            "[red]error:[/] the generated models are not what the declarations ask for; "
            "run `cdp generate` and commit what it writes"
        )
        raise typer.Exit(Exit.FAILED)
    generation.generate(settings)
    out.print("Written.")
