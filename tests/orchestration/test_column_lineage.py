"""Column lineage: what the graph says a column is made of."""

from __future__ import annotations

from pathlib import Path

from orchestration.column_lineage import KeptLineage, Query, lineage_of

ORDERS, PEOPLE = ("staging", "orders"), ("staging", "people")
COLUMNS = {
    ORDERS: {"order_id": "VARCHAR", "person": "BIGINT", "amount": "DECIMAL(18,4)"},
    PEOPLE: {"person": "BIGINT", "email": "VARCHAR"},
}


def traced(sql: str) -> dict[str, set[tuple[tuple[str, str], str]]]:
    found = lineage_of(sql, COLUMNS, "duckdb")
    return {column: set(sources) for column, sources in found.items()}


def test_a_column_is_followed_through_common_table_expressions_with_a_star() -> None:
    found = traced(
        """
        with orders as (select * from "warehouse"."staging"."orders"),
        summed as (select person, sum(amount) as spent from orders group by person)
        select summed.person, summed.spent from summed
        """
    )
    assert found == {"person": {(ORDERS, "person")}, "spent": {(ORDERS, "amount")}}


def test_an_expression_names_every_column_it_is_computed_from() -> None:
    found = traced(
        """
        select o.order_id, case when p.email is null then 0 else o.amount end as known_amount
        from staging.orders as o left join staging.people as p on o.person = p.person
        """
    )
    assert found["known_amount"] == {(PEOPLE, "email"), (ORDERS, "amount")}


def test_the_branches_of_a_union_meet_by_position() -> None:
    found = traced(
        """
        with everyone as (
            select person from staging.orders
            union all
            select person as other_name from staging.people
        )
        select person as someone from everyone
        """
    )
    assert found == {"someone": {(ORDERS, "person"), (PEOPLE, "person")}}


def test_a_constant_comes_from_nowhere() -> None:
    assert traced("select 1 as one, order_id from staging.orders")["one"] == set()


def test_sql_that_cannot_be_read_has_no_lineage_and_harms_nobody() -> None:
    assert traced("select from where") == {}


def test_a_table_is_worked_out_once_for_each_fingerprint(tmp_path: Path) -> None:
    sql = "select order_id from staging.orders"
    first = KeptLineage(tmp_path, "aa").of([Query(("x", "t"), sql)], COLUMNS, "duckdb")
    # Another query under the same fingerprint is not looked at: the file already has the table.
    kept = KeptLineage(tmp_path, "aa").of([Query(("x", "t"), "select 1 as no")], {}, "duckdb")
    assert kept == first
    anew = KeptLineage(tmp_path, "bb").of([Query(("x", "t"), "select 1 as no")], {}, "duckdb")
    assert anew == {("x", "t"): {"no": frozenset()}}
    assert [path.name for path in tmp_path.iterdir()] == ["bb.json"]
