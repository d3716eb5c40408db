"""`cdp identity diff`: rules of identity are tried on a copy, and what they would change is told.

Belongs here: the way from files to the difference, and what stands in it. Does not belong here:
the copy and the building in it (`cdp.warehouse`), comparing (`cdp.identity.rule_change`), showing
(`cdp.commands.rule_change_report`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdp.commands.looking import check_begun
from cdp.commands.terminal import CommandFailed, Exit, err
from cdp.warehouse.engines.known import engine_of
from cdp.warehouse.settings import Settings

if TYPE_CHECKING:
    from cdp.config.sources import Source
    from cdp.identity.rule_change import RuleChange
    from cdp.warehouse.modelling import NodeResult
    from cdp.warehouse.rehearsal import Base


@dataclass(frozen=True)
class Tried:
    """What was tried on what.

    Attributes:
        base: the published run that the rules were held against.
        files: the files of rules, by their seeds.
        only_rules: whether all else is as that run had it; otherwise what differs may come from
            settings, declarations or models that have changed since.
    """

    base: Base
    files: Mapping[str, Path]
    only_rules: bool


def try_rules(settings: Settings, paths: Sequence[Path], limit: int) -> tuple[RuleChange, Tried]:
    """What the rules of some files would change of what the last published run has built.

    Raises:
        ConfigError: a file is no rules, or a row of one is wrong.
        CommandFailed: the warehouse is not embedded, there is none, or it cannot be copied now.
        ModelsFailed: the tables could not be built by these rules.
    """
    from cdp.config.rule_files import lay_over, rule_files
    from cdp.config.sources import load_sources
    from cdp.generation import generate
    from cdp.identity.rule_change import compare, keep_before
    from cdp.warehouse.rehearsal import published_base, rehearse, set_back
    from cdp.warehouse.runs import logic_hash
    from cdp.warehouse.scratch import scratch_copy
    from cdp.warehouse.store import open_warehouse
    from ingestion.promotion import ensure_tables

    if not engine_of(settings).of_a_file:
        raise CommandFailed(
            "what rules would change is computed with the embedded engine alone, and the target is "
            f"{settings.target}",
            Exit.REFUSED,
        )
    check_begun(settings)
    files = rule_files(paths)
    sources = load_sources(settings).sources
    _check(settings, files, sources)
    logic = logic_hash(settings)
    with (
        _refusing(),
        err.status("copying the warehouse") as status,
        scratch_copy(settings, 5) as copied,
    ):
        config = copied.home / "config"
        lay_over(settings.config, files, config)
        with open_warehouse(copied) as warehouse:
            base = published_base(warehouse)
            set_back(warehouse, base, sources)
            for source in sources:
                ensure_tables(source, warehouse)
            keep_before(warehouse)
        only_rules = base.is_of(settings, logic)
        # The moment of that run, so that the rules alone differ.
        tried = copied.model_copy(update={"config": config, "as_of": base.as_of})
        status.update("reading the project")
        project = generate(tried)
        with open_warehouse(tried) as warehouse:
            rehearse(
                warehouse,
                tried,
                project,
                base,
                same_staging=only_rules,
                on_node=_told(status.update),
            )
            return compare(warehouse, limit), Tried(base, files, only_rules)


def _check(settings: Settings, files: Mapping[str, Path], sources: Mapping[str, Source]) -> None:
    """As `cdp config check` reads the seeds, with these files in their place."""
    from cdp.config.identity_rules import load_identity_rules, seed_of
    from cdp.config.staging_models import id_types
    from cdp.config.yaml_text import ConfigError
    from cdp.identity.seed_labels import SEED, seed_labels

    load_identity_rules(settings, sources, id_types(sources.values()), files)
    # Also where other rules are tried: they may spell two values of a label alike.
    for line, problem in seed_labels(settings, files).problems:
        raise ConfigError(files.get(SEED) or seed_of(settings, SEED), line, problem)


@contextmanager
def _refusing() -> Iterator[None]:
    """What stands in the way is one sentence and a code."""
    from cdp.warehouse.rehearsal import NotAtRest, NothingToCompare
    from cdp.warehouse.scratch import NoRoom
    from cdp.warehouse.store import WarehouseBusy

    try:
        yield
    except WarehouseBusy as error:
        raise CommandFailed(
            f"{str(error).partition(';')[0]}; ask again when it has ended", Exit.BUSY
        ) from error
    except NothingToCompare as error:
        raise CommandFailed(str(error), Exit.NOT_FOUND) from error
    except NotAtRest as error:
        raise CommandFailed(str(error), Exit.REFUSED) from error
    except NoRoom as error:
        raise CommandFailed(str(error), Exit.FAILED) from error


def _told(show: Callable[[str], None]) -> Callable[[NodeResult], None]:
    return lambda node: show(f"trying the rules: {node.name}")
