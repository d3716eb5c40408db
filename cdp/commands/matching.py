"""`cdp identity train` and `candidates`: what matching learns, and what it asks people.

Belongs here: the two commands, what they answer and what they exit with. Does not belong here:
learning and evidence (`cdp.identity.matching`), deciding on a pair, which is a label's work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.commands.authors import Author, author_of
from cdp.commands.looking import warehouse_at_rest
from cdp.commands.terminal import CommandFailed, Exit, answer, cell, count, err, grid, out
from cdp.warehouse.settings import load_settings

if TYPE_CHECKING:
    from cdp.config.matching import MatchingModel
    from cdp.identity.matching.evidence import Likeliness, Review

AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")]


def train(
    model: Annotated[
        str | None, typer.Argument(help="A model of `matching.yml`; without it, all of them.")
    ] = None,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Have matching models learn from the records that the last run has built."""
    from cdp.config.matching import load_matching
    from cdp.config.matching_parameters import save_parameters
    from cdp.identity.looking_up import NothingBuilt
    from cdp.identity.matching.connecting import limited
    from cdp.identity.matching.errors import MatchingError
    from cdp.identity.matching.teaching import records_of, taught

    settings = load_settings()
    who = author_of(author)
    chosen = _chosen(load_matching(settings), model)
    try:
        with warehouse_at_rest(settings, 5) as warehouse:
            records = records_of(warehouse, chosen)
        # Nothing is kept unless all of them have learned.
        with limited(settings.threads, settings.memory_limit):
            learned = {each.name: taught(records, each, who) for each in chosen}
    except NothingBuilt as error:
        raise CommandFailed(str(error), Exit.NOT_FOUND) from error
    except MatchingError as error:
        raise CommandFailed(str(error)) from error
    done: list[dict[str, Any]] = []
    for name, each in learned.items():
        try:
            file = save_parameters(settings, name, each)
        except OSError as error:
            raise CommandFailed(
                f"what '{name}' has learned cannot be kept in {settings.config}: {error.strerror}"
            ) from error
        done.append({"model": name, "records": each.records, "file": file})
    if as_json:
        answer(done)
        return
    for row in done:
        told = f"{row['model']} has learned from {count(row['records'])} records: {row['file']}"
        out.print(told, soft_wrap=True)
    out.print("Runs go by it from the next one on, and build all tables anew then.")


def _chosen(models: dict[str, MatchingModel], wanted: str | None) -> list[MatchingModel]:
    from cdp.config.yaml_text import nearest

    if not models:
        raise CommandFailed(
            "no matching model is declared; docs/how-to/match-people.md says how to write "
            "config/matching.yml",
            Exit.NOT_FOUND,
        )
    if wanted is None:
        return list(models.values())
    if wanted not in models:
        raise CommandFailed(
            nearest(f"no matching model is called '{wanted}'", models), Exit.NOT_FOUND
        )
    return [models[wanted]]


def candidates(
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List who is perhaps one person and waits for a decision by `join` or `split`."""
    from cdp.identity.looking_up import NothingBuilt
    from cdp.identity.matching.evidence import open_reviews

    try:
        with warehouse_at_rest(load_settings(), 5) as warehouse:
            reviews = open_reviews(warehouse)
    except NothingBuilt as error:
        raise CommandFailed(str(error), Exit.NOT_FOUND) from error
    if as_json:
        answer([_as_data(each) for each in reviews[:limit]])
        return
    if not reviews:
        out.print("Nobody waits for a decision.")
        return
    columns = ("probability", "identifier", "other identifier", "model", "evidence in bits")
    table = grid(*columns, numbers=("probability",))
    for review in reviews[:limit]:
        likely = review.likeliness
        cells = (
            f"{likely.probability:.3f}",
            f"{review.left.type}:{review.left.value}",
            f"{review.right.type}:{review.right.value}",
            likely.model,
            in_words(likely),
        )
        table.add_row(*(cell(each) for each in cells))
    out.print(table)
    if len(reviews) > limit:
        err.print(f"{count(len(reviews) - limit)} more wait; `--limit` shows them.")


def in_words(likely: Likeliness) -> str:
    """What speaks for it and against, attribute by attribute; what says nothing is left out."""
    told = [str(step) for step in likely.steps if round(step.bits, 1)]
    return "; ".join([*told, f"so many pairs are one ({likely.prior_bits:+.1f})"])


def likely_as_data(likely: Likeliness) -> dict[str, Any]:
    """The evidence for machines."""
    return {
        "model": likely.model,
        "probability": likely.probability,
        "match_weight": likely.match_weight,
        "prior_bits": likely.prior_bits,
        "evidence": [
            {"attribute": step.attribute, "level": step.level, "bits": round(step.bits, 4)}
            for step in likely.steps
        ],
    }


def _as_data(review: Review) -> dict[str, Any]:
    return {
        "left_type": review.left.type,
        "left_value": review.left.value,
        "right_type": review.right.type,
        "right_value": review.right.value,
        "left_profile_id": review.left_profile_id,
        "right_profile_id": review.right_profile_id,
        **likely_as_data(review.likeliness),
    }
