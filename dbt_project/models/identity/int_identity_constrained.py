"""One row per identifier or edge of a component that breaks a limit, solved from all its edges."""

from functools import partial

from cdp.identity.constrained import SCHEMA, solve_components
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
    edges = frames.of(dbt.ref("fct_identity_edges"))
    types = frames.of(dbt.ref("identifier_types")).arrow()

    members = (
        components.named("c")
        .join(conflicts.named("x"), "c.component_id = x.component_id")
        .select("c.node", "c.component_id")
        .named("m")
    )
    nodes = members.join(identifiers.named("i"), "m.node = i.node").select(
        "m.node", "m.component_id", "i.identifier_type", "i.identifier_value"
    )
    links = (
        edges.named("e")
        .join(members, "e.left_node = m.node")
        .select(
            "m.component_id",
            "e.left_node",
            "e.right_node",
            "e.weakness",
            "e.is_asserted",
            "e.first_occurred_at",
        )
    )
    solve = partial(solve_components, types=types)
    return nodes.solved_with(links, "component_id", solve, SCHEMA)
