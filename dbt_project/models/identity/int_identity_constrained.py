"""One row per identifier, edge left out, or implausible group of a component in conflict."""

from functools import partial

from cdp.identity.constrained import SCHEMA, solve_components
from cdp.identity.rules import rules_of
from cdp.warehouse.engines import frames


def model(dbt, session):
    dbt.config(
        materialized="incremental",
        incremental_strategy="change_set",
        change_set="int_touched_identifiers",
        change_key="birth",
    )
    # The strategy's macro deletes by this relation, which the graph must know of.
    dbt.ref("int_touched_identifiers")
    conflicts = frames.of(dbt.ref("int_identity_conflicts"))
    components = frames.of(dbt.ref("int_identity_components"))
    identifiers = frames.of(dbt.ref("int_identifier_values")).filter("birth = node")
    evidence = frames.of(dbt.ref("int_identity_evidence"))
    types = frames.of(dbt.ref("identifier_types")).arrow()
    signs = frames.of(dbt.ref("identity_signs")).arrow()

    members = (
        components.named("c")
        .join(conflicts.named("x"), "c.component_id = x.component_id")
        .select("c.node", "c.component_id")
        .named("m")
    )
    nodes = members.join(identifiers.named("i"), "m.node = i.node").select(
        "m.node",
        "m.component_id",
        "i.identifier_type",
        "i.identifier_value",
    )
    solve = partial(solve_components, rules=rules_of(types, signs))
    return nodes.solved_with(evidence, "component_id", solve, SCHEMA)
