"""Having a model learn from the warehouse, on command.

Belongs here: reading the records that a run has built, and keeping what was learned. Does not
belong here: learning (`training`), the form in which it is kept (`cdp.config.matching_parameters`).
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from cdp.config.matching import MatchingModel
from cdp.config.matching_parameters import Learned
from cdp.identity.looking_up import NothingBuilt
from cdp.identity.matching.preparing import NODE
from cdp.identity.matching.training import train
from cdp.warehouse.runs import utc_now
from cdp.warehouse.store import Warehouse


def records_of(warehouse: Warehouse, models: Iterable[MatchingModel]) -> pa.Table:
    """The records that the models compare, as the last run has seen them: `node` BIGINT, `source`
    and attributes as text.

    Raises:
        NothingBuilt: no run has built them yet.
    """
    models = list(models)
    if not warehouse.has_table("identity", "int_match_records"):
        raise NothingBuilt("no run has built the identities yet; `cdp run` does")
    columns = sorted({name for model in models for name in model.read_attributes()})
    sources = sorted({source for model in models for source in model.sources})
    return warehouse.arrow(
        f"SELECT {', '.join([NODE, 'source', *columns])} FROM identity.int_match_records "
        f"WHERE source IN ({', '.join('?' * len(sources))})",
        sources,
    )


def taught(records: pa.Table, model: MatchingModel, author: str) -> Learned:
    """What a model learns from records, with who had it learn and when.

    Raises:
        MatchingError: there is too little to learn from.
    """
    parameters = train(records, model)
    return Learned(
        learned_at=utc_now(),
        learned_by=author,
        records=records.filter(_of_sources(records, model)).num_rows,
        parameters=parameters,
    )


def _of_sources(records: pa.Table, model: MatchingModel) -> pa.Array:
    import pyarrow.compute as pc

    return pc.is_in(records["source"], pa.array(model.sources, pa.string()))
