"""`cdp identity`: who is who, and what people have said about it.

Belongs here: the commands, what they answer and what they exit with. Does not belong here: which
labels are in force and what contradicts (`cdp.identity.labels`), what a label does (the models).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cdp.commands import matching
from cdp.commands.authors import Author, author_of, told_by
from cdp.commands.explaining import tell_explanation
from cdp.commands.looking import check_begun, warehouse_at_rest
from cdp.commands.terminal import CommandFailed, Exit, answer, cell, err, grid, out
from cdp.warehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from cdp.identity.labels import Kind, Label
    from cdp.warehouse.store import Warehouse

app = typer.Typer(help="Who is who, and what people say about it.", no_args_is_help=True)

First = Annotated[str, typer.Argument(metavar="A", help="An identifier, as type:value.")]
Second = Annotated[str, typer.Argument(metavar="B", help="Another one, as type:value.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads the record later.")]
Unseen = Annotated[
    bool, typer.Option("--unseen", help="Also about an identifier that no row has brought yet.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")]

NEXT_RUN = "It takes effect with the next run."


@app.callback()
def _identity() -> None:
    """Who is who, and what people say about it."""


@app.command()
def split(
    a: First,
    b: Second,
    reason: Reason,
    author: Author = None,
    unseen: Unseen = False,
    as_json: AsJson = False,
) -> None:
    """Say that two identifiers are two people's, whatever ties them together."""
    _put_on("split", (a, b), reason, author, unseen=unseen, as_json=as_json)


@app.command()
def join(
    a: First,
    b: Second,
    reason: Reason,
    author: Author = None,
    unseen: Unseen = False,
    as_json: AsJson = False,
) -> None:
    """Say that two identifiers are one person's, whatever rule parts them."""
    _put_on("join", (a, b), reason, author, unseen=unseen, as_json=as_json)


@app.command()
def trust(
    a: First,
    reason: Reason,
    author: Author = None,
    unseen: Unseen = False,
    as_json: AsJson = False,
) -> None:
    """Say that a value counts again which the rules found to be nobody's own."""
    _put_on("trust", (a,), reason, author, unseen=unseen, as_json=as_json)


@app.command()
def distrust(
    a: First,
    reason: Reason,
    author: Author = None,
    unseen: Unseen = False,
    as_json: AsJson = False,
) -> None:
    """Say that a value is nobody's own and joins nobody."""
    _put_on("distrust", (a,), reason, author, unseen=unseen, as_json=as_json)


@app.command()
def labels(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were taken back, and by whom.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the labels that are in force, those of the seed included."""
    from cdp.identity.label_record import recorded
    from cdp.identity.labels import in_force
    from cdp.identity.seed_labels import overruled, seed_labels

    settings = load_settings()
    with _refusing(), warehouse_at_rest(settings, 5) as warehouse:
        rows = recorded(warehouse)
        seed = seed_labels(settings)
    standing = in_force(rows)
    if not everything:
        rows = list(standing)
    rows += seed.labels
    told = [
        f"{label.called}: {why}, which holds" for label, why in overruled(seed.labels, standing)
    ]
    told += [f"identity_labels.csv:{line}: {problem}" for line, problem in seed.problems]
    for each in told:
        err.print(f"[yellow]warning:[/] {escape(each)}", soft_wrap=True)
    if as_json:
        answer([_as_data(label) for label in rows])
        return
    if not rows:
        out.print("No label is in force.")
        return
    columns = ("label", "kind", "identifier", "other identifier", "author", "reason", "recorded")
    table = grid(*columns, *(("takes back",) if everything else ()), numbers=("label",))
    for label in rows:
        left, right = label.claim.left, label.claim.right
        cells = [
            label.origin or label.number,
            label.claim.kind,
            f"{left.type}:{left.value}",
            None if right is None else f"{right.type}:{right.value}",
            label.author,
            label.reason,
            label.recorded_at,
        ]
        table.add_row(*(cell(each) for each in (*cells, *([label.removes] if everything else []))))
    out.print(table)


@app.command("rm")
def remove(
    number: Annotated[int, typer.Argument(help="The label, by its number.")],
    reason: Reason,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Take a label back, as if it had never been put on; the record keeps both."""
    from cdp.identity.labelling import take_back

    who = author_of(author)
    with _writing(load_settings()) as warehouse:
        label = take_back(warehouse, number, author=who, reason=told_by(reason, "--reason"))
    if as_json:
        answer(_as_data(label))
    else:
        out.print(f"Label {label.number} ({label.claim.kind}) is taken back. {NEXT_RUN}")


@app.command("import")
def import_labels(
    file: Annotated[
        Path,
        typer.Argument(
            help="A CSV file with the columns kind, left_type, left_value, right_type, "
            "right_value, author, reason."
        ),
    ],
    unseen: Unseen = False,
    as_json: AsJson = False,
) -> None:
    """Take the labels of a file, all of them or none; those in force already are left out."""
    from cdp.identity.label_file import WrongFile, read_labels
    from cdp.identity.labelling import take_file

    settings = load_settings()
    try:
        rows, problems = read_labels(file)
    except WrongFile as error:
        raise CommandFailed(str(error), Exit.WRONG_INPUT) from error
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror}", Exit.WRONG_INPUT) from error
    with _writing(settings) as warehouse:
        taken = take_file(
            warehouse,
            file,
            rows,
            problems,
            declared_types=_declared_types(settings),
            unseen=unseen,
        )
    if as_json:
        answer({"taken": [_as_data(label) for label in taken.labels], "known": taken.known})
        return
    known = f"; {taken.known} were in force already" if taken.known else ""
    took = f"{len(taken.labels)} labels are taken{known}."
    out.print(f"{took} {'They take effect with the next run.' if taken.labels else ''}".strip())


@app.command("explain")
def explain_two(a: First, b: Second, as_json: AsJson = False) -> None:
    """Explain why two identifiers are one person's, by the shortest path of rows, or why not."""
    from cdp.identity.explaining import explain

    settings = load_settings()
    with _refusing(), warehouse_at_rest(settings, 5) as warehouse:
        explanation = explain(warehouse, a, b, _declared_types(settings))
    tell_explanation(explanation, as_json=as_json)


@app.command()
def benchmark(
    limit: Annotated[
        int, typer.Option(min=1, help="How many profiles and groups of each kind to name.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Measure who is who: largest profiles, signs of wrong merges, churn of ids; writes nothing."""
    from cdp.commands.identity_report import tell_benchmark
    from cdp.identity.benchmark import benchmark as measured

    with _refusing(), warehouse_at_rest(load_settings(), 5) as warehouse:
        figures = measured(warehouse, limit)
    tell_benchmark(figures, as_json=as_json)


app.command("train")(matching.train)
app.command("candidates")(matching.candidates)


@app.command()
def diff(
    rules: Annotated[
        list[Path],
        typer.Option(
            help="A file of rules, called as its seed (such as identifier_types.csv), or a folder "
            "of such files; may be given several times."
        ),
    ],
    limit: Annotated[int, typer.Option(min=0, help="How many examples of each kind.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what rules of identity would change, before they count; computed in a copy."""
    from cdp.commands.rule_change_report import tell_rule_change
    from cdp.commands.trying_rules import try_rules

    change, tried = try_rules(load_settings(), rules, limit)
    tell_rule_change(change, tried, as_json=as_json)


def _put_on(
    kind: Kind,
    texts: tuple[str, ...],
    reason: str,
    author: str | None,
    *,
    unseen: bool,
    as_json: bool,
) -> None:
    from cdp.identity.labelling import take

    settings = load_settings()
    who, why = author_of(author), told_by(reason, "--reason")
    with _writing(settings) as warehouse:
        label = take(
            warehouse,
            kind,
            texts,
            author=who,
            reason=why,
            declared_types=_declared_types(settings),
            unseen=unseen,
        )
    if as_json:
        answer(_as_data(label))
    else:
        out.print(f"Label {label.number} ({kind}) is recorded. {NEXT_RUN}")


@contextmanager
def _writing(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse, held for writing."""
    from cdp.warehouse.store import open_warehouse

    check_begun(settings)
    with _refusing(), open_warehouse(settings) as warehouse:
        yield warehouse


@contextmanager
def _refusing() -> Iterator[None]:
    """What is no identifier, or no label, is one sentence and a code."""
    from cdp.identity.identifiers import NoIdentifier
    from cdp.identity.label_file import WrongFile
    from cdp.identity.labelling import NoSuchLabel
    from cdp.identity.labels import LabelRefused
    from cdp.identity.looking_up import NeverSeen, NothingBuilt

    codes: dict[type[Exception], Exit] = {
        NoIdentifier: Exit.WRONG_INPUT,
        WrongFile: Exit.WRONG_INPUT,
        LabelRefused: Exit.REFUSED,
        NeverSeen: Exit.NOT_FOUND,
        NoSuchLabel: Exit.NOT_FOUND,
        NothingBuilt: Exit.NOT_FOUND,
    }
    try:
        yield
    except tuple(codes) as error:
        code = next(code for kind, code in codes.items() if isinstance(error, kind))
        raise CommandFailed(str(error), code) from error


def _declared_types(settings: Settings) -> set[str]:
    """The types of ids that sources are declared to bring."""
    from cdp.config.sources import load_sources
    from cdp.config.staging_models import id_types

    return id_types(load_sources(settings).sources.values())


def _as_data(label: Label) -> dict[str, Any]:
    left, right = label.claim.left, label.claim.right
    return {
        "label_number": label.number if label.origin is None else None,
        "origin": label.origin or "recorded",
        "kind": label.claim.kind,
        "left_type": left.type,
        "left_value": left.value,
        "right_type": None if right is None else right.type,
        "right_value": None if right is None else right.value,
        "author": label.author,
        "reason": label.reason,
        "recorded_at": label.recorded_at,
        "removes": label.removes,
    }
