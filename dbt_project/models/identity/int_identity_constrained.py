"""One row per identifier or edge of a component that breaks a limit, solved from all its edges."""

from cdp.identity.constrained import solve_components


def model(dbt, session):
    dbt.config(
        materialized="incremental",
        incremental_strategy="change_set",
        change_set="int_touched_identifiers",
        change_key="birth",
    )
    # The strategy's macro deletes by this relation, which the graph must know of.
    dbt.ref("int_touched_identifiers")
    conflicts = dbt.ref("int_identity_conflicts")
    components = dbt.ref("int_identity_components")
    identifiers = dbt.ref("int_identifier_values").filter("birth = node")
    edges = dbt.ref("fct_identity_edges")
    types = dbt.ref("identifier_types").to_arrow_table()

    members = (
        components.set_alias("c")
        .join(conflicts.set_alias("x"), "c.component_id = x.component_id")
        .project("c.node, c.component_id")
        .set_alias("m")
    )
    nodes = members.join(identifiers.set_alias("i"), "m.node = i.node").project(
        "m.node, m.component_id, i.identifier_type, i.identifier_value"
    )
    links = (
        edges.set_alias("e")
        .join(members, "e.left_node = m.node")
        .project(
            "m.component_id, e.left_node, e.right_node, e.weakness, e.is_asserted, "
            "e.first_occurred_at"
        )
    )
    return solve_components(nodes.to_arrow_table(), links.to_arrow_table(), types)
