"""What is kept of benchmarks: the newest of each size, and no more than was measured."""

from __future__ import annotations

from benchmarks.__main__ import merged


def test_a_result_takes_the_place_of_the_former_one_of_as_much_and_leaves_others() -> None:
    kept = [{"rows": 1_000_000, "seconds": 9}, {"rows": 5_000_000, "seconds": 40}]
    assert merged(kept, [{"rows": 1_010_000, "seconds": 8}], "rows") == [
        {"rows": 1_010_000, "seconds": 8},
        {"rows": 5_000_000, "seconds": 40},
    ]


def test_growth_is_told_of_sizes_that_were_measured_together() -> None:
    """An exponent between a time of today and one of last month says nothing."""
    large = {"rows": 8_000_000, "seconds": 80, "full_build_growth": 1.0}
    assert merged([large], [{"rows": 1_000_000}], "rows")[1] == {
        "rows": 8_000_000,
        "seconds": 80,
    }
    assert merged([{"rows": 1_000_000}], [large], "rows")[1] == large
    assert merged([large], [{"rows": 64_000_000}], "rows")[0] == large
