"""The command line: `cdp`.

Belongs here: putting the commands together, starting runs (the one place that may import
`orchestration`, and only when a run is asked for), and what the process exits with. Commands that
look at or change something without a run do not belong here: they are in `cdp.commands`, one
module a noun.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.commands import config, consent, identity, profile, segment, warehouse
from cdp.commands.terminal import CommandFailed, Exit, err, explain
from cdp.warehouse.settings import PROJECT_ROOT, Settings, load_settings

if TYPE_CHECKING:
    from cdp.demo.shop import DemoShop
    from orchestration.running import Outcome

app = typer.Typer(
    name="cdp",
    help="Tributary: from sources to segments that an analyst can query.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(config.app, name="config")
app.add_typer(segment.app, name="segment")
app.add_typer(profile.app, name="profile")
app.add_typer(identity.app, name="identity")
app.add_typer(consent.app, name="consent")
app.add_typer(warehouse.fit_app, name="fit")
for command in (warehouse.land, warehouse.replay, warehouse.status, warehouse.publish):
    app.command()(command)
app.command()(config.generate)

AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")]


@app.command()
def run(
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="Land only this source; may be given several times."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Read again from this day or moment on (ISO 8601, UTC).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Read again up to before this day or moment (ISO 8601, UTC).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole way: land what is new, build, check, publish."""
    from cdp.commands.following import follow, tell_outcome

    settings = load_settings()
    with follow(quiet=as_json) as listener:
        outcome = _run_job(
            settings, sources=source or None, since=since, until=until, listener=listener
        )
    tell_outcome(outcome, as_json=as_json)


@app.command()
def demo(
    people: Annotated[int, typer.Option(min=1, help="People of the shop.")] = 5_000,
    days: Annotated[int, typer.Option(min=1, help="Days of its history.")] = 90,
    seed: Annotated[int | None, typer.Option(help="Seed; the same seed, the same shop.")] = None,
    as_json: AsJson = False,
) -> None:
    """Generate the demo shop, run the whole way, and show what came of it."""
    from cdp.commands.following import follow
    from cdp.commands.showing import show_demo

    started = time.monotonic()
    settings = load_settings()
    _refuse_another_shop(settings, people, days, seed)
    if not as_json:
        err.print(
            f"[bold]Tributary demo[/]: a shop of {people:,} people over {days} days, "
            f"in {_short(settings.home)}"
        )
    with follow(quiet=as_json) as listener:
        shop, deployment = _generate_and_prepare(settings, people, days, seed)
        listener.said(f"shop generated: {shop.event_lines:,} event lines, {shop.orders:,} orders")
        outcome = _run_job(settings, listener=listener, deployment=deployment)
    show_demo(settings, outcome, time.monotonic() - started, as_json=as_json)


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. The UI has no log-in: keep it on loopback."),
    ] = "127.0.0.1",
    shop: Annotated[
        bool,
        typer.Option(
            "--shop",
            help="Run the demo shop first, in a data home without a warehouse and without files of "
            "your own, where the declared sources are the shipped ones.",
        ),
    ] = False,
) -> None:
    """Start the Dagster UI with its schedule and sensors, until interrupted."""
    from orchestration.instance import WORKSPACE, lay_out_instance
    from orchestration.running import prepare

    settings = load_settings()
    if shop:
        _demo_where_there_is_room(settings)
    with err.status("reading the project"):
        prepare(settings)
    os.environ["DAGSTER_HOME"] = str(lay_out_instance(settings))
    os.environ["CDP_HOME"] = str(settings.home)
    os.environ["CDP_CONFIG"] = str(settings.config)
    # Dagster's own processes find the packages of this clone from wherever they are started.
    os.chdir(PROJECT_ROOT)
    err.print(f"The UI will be at [bold]http://{host}:{port}[/]. Ctrl-C ends it.")
    arguments = [
        sys.executable, "-m", "dagster", "dev",
        "--workspace", str(WORKSPACE), "--host", host, "--port", str(port),
    ]  # fmt: skip
    # In place of this process, so that whoever ends it ends the UI and its daemon.
    os.execv(sys.executable, arguments)  # noqa: S606


@app.command("prepare")
def prepare_services(as_json: AsJson = False) -> None:
    """Lay out what Dagster's daemon and web server start from, and print how to start them."""
    from cdp.commands.services import tell_services
    from orchestration.instance import WORKSPACE, lay_out_instance
    from orchestration.running import prepare

    settings = load_settings()
    with err.status("reading the project"):
        prepare(settings)
    tell_services(settings, lay_out_instance(settings), WORKSPACE, as_json=as_json)


def _demo_where_there_is_room(settings: Settings) -> None:
    """Run the demo shop in a home that nobody has begun to use; the UI opens whatever comes of it.

    Raises:
        ConfigError: the sources are declared wrongly, so that there is nothing to open either.
    """
    from cdp.demo.room import what_stands_in_the_way
    from cdp.warehouse.serving_sets import current_set

    hindrance = what_stands_in_the_way(settings)
    if hindrance is not None:
        if current_set(settings) is None:
            err.print(f"The demo shop is not started: {_escaped(hindrance)}.", soft_wrap=True)
        return
    try:
        demo()
    except typer.Exit:
        failure = "see above"
    except Exception as error:  # noqa: BLE001 - whatever it is, the UI is what was asked for
        known = explain(error)
        failure = str(known) if known else f"{type(error).__name__}; `cdp demo` shows all of it"
    else:
        return
    err.print(f"[red]The demo shop failed:[/] {_escaped(failure)}", soft_wrap=True)


def _run_job(settings: Settings, **how: Any) -> Outcome:
    from orchestration.running import run_job

    try:
        return run_job(settings, **how)
    except ValueError as error:
        known = explain(error)
        raise known if known else CommandFailed(str(error), Exit.WRONG_INPUT) from error


def _generate_and_prepare(
    settings: Settings, people: int, days: int, seed: int | None
) -> tuple[DemoShop, Any]:
    """Generate the shop in a process of its own, while this one does its seconds of importing."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from cdp.demo.shop import DEFAULT_SEED, generate

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        shop = pool.submit(
            generate, settings.home, people, days, DEFAULT_SEED if seed is None else seed
        )
        from orchestration.running import prepare, warm_up

        deployment = prepare(settings)
        warm_up()
        return shop.result(), deployment


def _refuse_another_shop(settings: Settings, people: int, days: int, seed: int | None) -> None:
    """Two shops in one warehouse would be neither: their people have the same ids."""
    from cdp.demo.shop import DEFAULT_SEED

    receipt = settings.demo_dir / "shop.json"
    if not (settings.warehouse_file.exists() and receipt.exists()):
        return
    there = json.loads(receipt.read_text(encoding="utf-8"))
    wanted = {"people": people, "days": days, "seed": DEFAULT_SEED if seed is None else seed}
    if any(there.get(name) != value for name, value in wanted.items()):
        raise CommandFailed(
            f"{settings.home} has been run with a shop of {there['people']:,} people over "
            f"{there['days']} days with seed {there['seed']}; delete it, or name another data home "
            "in CDP_HOME",
            Exit.WRONG_INPUT,
        )


def _short(path: Path) -> str:
    """A path below the working directory relative to it, any other in full."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main() -> None:
    """The entry point: run a command, and exit with a code that means something."""
    try:
        # Wrong usage, help and interruption end in here, with codes of their own.
        app()
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        err.print(f"[red]error:[/] {_escaped(str(known))}", soft_wrap=True)
        sys.exit(int(known.code))


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
