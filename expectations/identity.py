"""What identity must hold: each identifier has one profile, within the limits, and keeps its birth.

Belongs here: the checks of identity that are more than a table's own declaration. Does not belong
here: which identifiers are one person (`dbt_project/models/identity`), row floors, keys and types
(`expectations.declared`).
"""

from __future__ import annotations

from expectations.checks import (
    Check,
    Gate,
    Table,
    counted,
    missing_values,
    orphans,
    rows_where,
    same_total,
)

IDENTIFIERS: Table = ("identity", "dim_identifiers")
BIRTHS: Table = ("identity", "identifier_births")
VALUES: Table = ("identity", "int_identifier_values")
COMPONENTS: Table = ("identity", "int_identity_components")
EDGES: Table = ("identity", "fct_identity_edges")
MATCHES: Table = ("identity", "int_match_edges")
TOUCHED: Table = ("identity", "int_touched_identifiers")
TYPES: Table = ("staging", "identifier_types")
TUPLES: Table = ("identity", "int_identifier_tuples")
REJECTED: Table = ("identity", "fct_rejected_edges")
CONSTRAINED: Table = ("identity", "int_identity_constrained")

TOUCHED_BIRTHS = "SELECT touched.birth FROM identity.int_touched_identifiers AS touched"


def changed_rows(gate: Gate, name: str) -> str:
    """Condition on a table of identity: the row may differ from the last published run's."""
    scope = gate.scope
    if scope.full:
        return "true"
    return {
        "dim_identifiers": f"birth IN ({TOUCHED_BIRTHS})",
        "int_identity_components": f"node IN ({TOUCHED_BIRTHS})",
        "int_identifier_values": f"birth IN ({_newborn(gate)})",
        "identifier_births": f"run_number > {scope.run_after}",
        "identity_assignments": f"run_number > {scope.run_after}",
        "int_identifier_tuples": f"last_landing_number > {scope.landed_after}",
        "fct_identity_edges": f"last_landing_number > {scope.landed_after}",
    }.get(name, "true")


def checks(gate: Gate) -> list[Check]:
    """What the tables of identity must hold, beside what they declare themselves."""
    return [*_births(gate), *_members(gate), *_profiles(gate), *_edges(gate)]


def _newborn(gate: Gate) -> str:
    return (
        "SELECT births.birth FROM identity.identifier_births AS births "
        f"WHERE births.run_number > {gate.scope.run_after}"
    )


def _births(gate: Gate) -> list[Check]:
    return [
        counted(
            "numbers births from 1 without a gap",
            BIRTHS,
            rows_where("identity", "identifier_births"),
            value="count(*) - count(DISTINCT birth) + abs(coalesce(max(birth), 0) - count(*)) "
            "+ count(*) FILTER (birth < 1)",
            unit="numbers missing or doubled",
        ),
        missing_values(
            *BIRTHS, ("birth", "identifier_type", "raw_value"), changed_rows(gate, BIRTHS[1])
        ),
        counted(
            "gives no raw identifier two births",
            BIRTHS,
            "(SELECT identifier_type, raw_value FROM identity.identifier_births "
            f"WHERE {_same_raw_value(gate)} "
            "GROUP BY identifier_type, raw_value HAVING count(*) > 1) AS twice",
            unit="identifiers",
        ),
        same_total(
            "has a value for every birth",
            VALUES,
            ("values", "SELECT count(*) FROM identity.int_identifier_values"),
            ("births", "SELECT count(*) FROM identity.identifier_births"),
            [BIRTHS],
            unit="values too many or too few",
        ),
        counted(
            "gives every spelling the node of the earliest",
            VALUES,
            rows_where("identity", "int_identifier_values"),
            value="count(*) FILTER (node IS NULL OR node > birth)",
            unit="identifiers",
        ),
    ]


def _same_raw_value(gate: Gate) -> str:
    if gate.scope.full:
        return "true"
    return (
        "raw_value IN (SELECT newborn.raw_value FROM identity.identifier_births AS newborn "
        f"WHERE newborn.run_number > {gate.scope.run_after})"
    )


def _members(gate: Gate) -> list[Check]:
    own = "identity.int_identifier_values WHERE birth = node AND NOT is_blocked"
    changed = changed_rows(gate, "dim_identifiers")
    return [
        missing_values(
            *IDENTIFIERS,
            ("identifier_type", "identifier_value", "birth", "component_id", "profile_id"),
            changed,
        ),
        counted(
            "gives every identifier exactly one profile",
            IDENTIFIERS,
            "(SELECT identifier_type, identifier_value FROM identity.dim_identifiers "
            f"WHERE {_same_value(gate)} GROUP BY identifier_type, identifier_value "
            "HAVING count(*) > 1) AS twice",
            unit="identifiers",
        ),
        counted(
            "has every identifier that is somebody's own",
            IDENTIFIERS,
            f"(SELECT birth FROM {own}) AS known ANTI JOIN identity.dim_identifiers AS served "
            "ON known.birth = served.birth",
            [VALUES],
            unit="identifiers",
        ),
        counted(
            "has no identifier that is nobody's own or was never born",
            IDENTIFIERS,
            "identity.dim_identifiers AS served "
            f"ANTI JOIN (SELECT birth FROM {own}) AS known ON served.birth = known.birth",
            [VALUES],
            unit="identifiers",
        ),
    ]


def _same_value(gate: Gate) -> str:
    if gate.scope.full:
        return "true"
    return (
        "identifier_value IN (SELECT touched.identifier_value "
        f"FROM identity.dim_identifiers AS touched WHERE touched.birth IN ({TOUCHED_BIRTHS}))"
    )


def _profiles(gate: Gate) -> list[Check]:
    # A profile may hold members that were not touched, so whole profiles are looked at.
    picked = gate.scope.rows(
        "profile_id IN (SELECT touched.profile_id FROM identity.dim_identifiers AS touched "
        f"WHERE touched.birth IN ({TOUCHED_BIRTHS}))"
    )
    return [
        counted(
            "calls every profile after its earliest-born member",
            IDENTIFIERS,
            "(SELECT profile_id FROM identity.dim_identifiers "
            f"WHERE {picked} GROUP BY profile_id HAVING min(birth) <> profile_id) AS misnamed",
            [TOUCHED],
            unit="profiles",
        ),
        counted(
            "has no profile across two components",
            IDENTIFIERS,
            "(SELECT profile_id FROM identity.dim_identifiers "
            f"WHERE {picked} GROUP BY profile_id HAVING min(component_id) <> max(component_id)) "
            "AS torn",
            [TOUCHED],
            unit="profiles",
        ),
        counted(
            "has no profile above the limits of identifier_types",
            IDENTIFIERS,
            # Ids that a source says are one (aliases, merged accounts) count as one.
            "(SELECT members.profile_id FROM (SELECT profile_id, identifier_type, "
            "coalesce(constrained.same_as, identifiers.birth) AS counts_as "
            "FROM (SELECT birth, profile_id, identifier_type "
            f"FROM identity.dim_identifiers WHERE {picked}) AS identifiers "
            "LEFT JOIN (SELECT birth, same_as FROM identity.int_identity_constrained "
            "WHERE kind = 'member') AS constrained USING (birth)) AS members "
            "LEFT JOIN staging.identifier_types AS types "
            "ON members.identifier_type = types.identifier_type "
            "LEFT JOIN staging.identifier_types AS any_type ON any_type.identifier_type = '*' "
            "GROUP BY members.profile_id, members.identifier_type "
            "HAVING count(DISTINCT counts_as) > any_value(CASE WHEN types.identifier_type IS NULL "
            f"THEN {_limit('any_type')} ELSE {_limit('types')} END)) AS too_big",
            [TOUCHED, TYPES, CONSTRAINED],
            unit="profiles",
        ),
    ]


def _limit(rules: str) -> str:
    """How many values of a type a profile may hold whenever they were seen."""
    return (
        f"CASE WHEN {rules}.do_not_merge THEN 1 "
        f"WHEN {rules}.window_days IS NULL THEN {rules}.max_per_profile END"
    )


def _edges(gate: Gate) -> list[Check]:
    changed = changed_rows(gate, "fct_identity_edges")
    components = changed_rows(gate, "int_identity_components")
    touched = gate.scope.rows(f"left_node IN ({TOUCHED_BIRTHS})")
    return [
        same_total(
            "has one component for every identifier of dim_identifiers",
            COMPONENTS,
            ("identifiers", "SELECT count(*) FROM identity.int_identity_components"),
            ("served", "SELECT count(*) FROM identity.dim_identifiers"),
            [IDENTIFIERS],
            unit="identifiers too many or too few",
        ),
        counted(
            "agrees with dim_identifiers on the component of every identifier",
            COMPONENTS,
            "identity.int_identity_components AS solved INNER JOIN identity.dim_identifiers "
            "AS served ON solved.node = served.birth "
            "WHERE solved.component_id <> served.component_id",
            [IDENTIFIERS],
            unit="identifiers",
        ),
        counted(
            "calls every component after its earliest-born member",
            COMPONENTS,
            "(SELECT component_id FROM identity.int_identity_components WHERE component_id IN "
            f"(SELECT component_id FROM identity.int_identity_components WHERE {components}) "
            "GROUP BY component_id HAVING min(node) <> component_id) AS misnamed",
            [TOUCHED],
            unit="components",
        ),
        counted(
            "joins only what is in one component",
            EDGES,
            "(SELECT left_node, right_node FROM identity.fct_identity_edges "
            f"WHERE blocked_by IS NULL AND {changed}) AS edges "
            "LEFT JOIN identity.int_identity_components AS one ON edges.left_node = one.node "
            "LEFT JOIN identity.int_identity_components AS other ON edges.right_node = other.node "
            "WHERE one.component_id IS DISTINCT FROM other.component_id "
            "OR one.component_id IS NULL",
            [COMPONENTS],
            unit="edges",
        ),
        counted(
            "joins only what is in one component",
            MATCHES,
            "(SELECT left_node, right_node FROM identity.int_match_edges WHERE is_in_force) "
            "AS edges "
            "LEFT JOIN identity.int_identity_components AS one ON edges.left_node = one.node "
            "LEFT JOIN identity.int_identity_components AS other ON edges.right_node = other.node "
            "WHERE one.component_id IS DISTINCT FROM other.component_id "
            "OR one.component_id IS NULL",
            [COMPONENTS],
            unit="edges",
        ),
        orphans(REJECTED, "component_id", COMPONENTS, "component_id"),
        # Every edge joins its two ends or is told with the rule that left it out, never both.
        counted(
            "tells every edge between two profiles, and no other, with its rule",
            REJECTED,
            "(SELECT edges.left_node, edges.right_node "
            f"FROM (SELECT left_node, right_node FROM identity.fct_identity_edges WHERE {touched} "
            "UNION ALL SELECT left_node, right_node FROM identity.int_match_edges "
            f"WHERE is_in_force AND {touched}) AS edges "
            "LEFT JOIN identity.dim_identifiers AS one ON edges.left_node = one.birth "
            "LEFT JOIN identity.dim_identifiers AS other ON edges.right_node = other.birth "
            "WHERE one.profile_id IS DISTINCT FROM other.profile_id OR one.birth IS NULL) "
            "AS parted "
            "FULL JOIN (SELECT left_node, right_node FROM identity.fct_rejected_edges "
            f"WHERE {touched}) AS told "
            "ON parted.left_node = told.left_node AND parted.right_node = told.right_node "
            "WHERE parted.left_node IS NULL OR told.left_node IS NULL",
            [EDGES, MATCHES, IDENTIFIERS, TOUCHED],
            unit="edges",
        ),
    ]
