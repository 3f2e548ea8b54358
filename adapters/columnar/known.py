"""Which expectations the columnar engine knows, and by which words of theirs; whatever else is said leaves them to Great Expectations."""

from __future__ import annotations

from collections.abc import Callable

from adapters.columnar import row_plans, table_plans, value_plans
from adapters.columnar.columns import Layout
from adapters.columnar.plans import Given, Plan
from adapters.suite_answers import Asked

_ROWS = ("column", "mostly")
_LIMITS = ("min_value", "max_value", "strict_min", "strict_max")
_OF_COLUMN = ("column", *_LIMITS)
_PAIR = ("column_A", "column_B", "mostly", "ignore_row_if")

KNOWN: dict[str, tuple[Callable[[Given], Plan | None], tuple[str, ...]]] = {
    "column_values_to_not_be_null": (row_plans.not_null, _ROWS),
    "column_values_to_be_null": (row_plans.null, _ROWS),
    "column_values_to_be_between": (row_plans.values_between, (*_ROWS, *_LIMITS)),
    "column_values_to_be_in_set": (row_plans.in_set, (*_ROWS, "value_set")),
    "column_values_to_not_be_in_set": (row_plans.not_in_set, (*_ROWS, "value_set")),
    "column_values_to_match_regex": (row_plans.matches, (*_ROWS, "regex")),
    "column_values_to_not_match_regex": (row_plans.matches_not, (*_ROWS, "regex")),
    "column_values_to_be_unique": (row_plans.unique, _ROWS),
    "column_value_lengths_to_be_between": (row_plans.lengths_between, (*_ROWS, *_LIMITS)),
    "column_value_lengths_to_equal": (row_plans.length_equal, (*_ROWS, "value")),
    "compound_columns_to_be_unique": (row_plans.compound_unique, ("column_list", "mostly", "ignore_row_if")),
    "column_pair_values_a_to_be_greater_than_b": (row_plans.pair_greater, (*_PAIR, "or_equal")),
    "column_pair_values_to_be_equal": (row_plans.pair_equal, _PAIR),
    "column_values_to_be_of_type": (value_plans.of_type, ("column", "type_")),
    "column_min_to_be_between": (value_plans.extreme("min"), _OF_COLUMN),
    "column_max_to_be_between": (value_plans.extreme("max"), _OF_COLUMN),
    "column_mean_to_be_between": (value_plans.moment("avg"), _OF_COLUMN),
    "column_sum_to_be_between": (value_plans.moment("sum"), _OF_COLUMN),
    "column_stdev_to_be_between": (value_plans.moment("stddev_samp"), _OF_COLUMN),
    "column_median_to_be_between": (value_plans.median, _OF_COLUMN),
    "column_quantile_values_to_be_between": (value_plans.quantiles, ("column", "quantile_ranges", "allow_relative_error")),
    "column_unique_value_count_to_be_between": (value_plans.unique_count, _OF_COLUMN),
    "column_proportion_of_unique_values_to_be_between": (value_plans.unique_share, _OF_COLUMN),
    "column_proportion_of_non_null_values_to_be_between": (value_plans.filled_share, _OF_COLUMN),
    "column_distinct_values_to_be_in_set": (value_plans.distinct_set(may_lack=True, may_add=False), ("column", "value_set")),
    "column_distinct_values_to_contain_set": (value_plans.distinct_set(may_lack=False, may_add=True), ("column", "value_set")),
    "column_distinct_values_to_equal_set": (value_plans.distinct_set(may_lack=False, may_add=False), ("column", "value_set")),
    "column_to_exist": (table_plans.exists, ("column", "column_index")),
    "table_columns_to_match_set": (table_plans.column_set, ("column_set", "exact_match")),
    "table_columns_to_match_ordered_list": (table_plans.ordered_columns, ("column_list",)),
    "table_row_count_to_be_between": (table_plans.counted(table_plans.row_count), _LIMITS),
    "table_row_count_to_equal": (table_plans.exactly(table_plans.row_count), ("value",)),
    "table_column_count_to_be_between": (table_plans.counted(table_plans.column_count), _LIMITS),
    "table_column_count_to_equal": (table_plans.exactly(table_plans.column_count), ("value",)),
}


def plan_of(asked: Asked, layout: Layout) -> Plan | None:
    """Return how an expectation is decided on a table of this layout; None where it is left to Great Expectations."""
    build, words = KNOWN.get(asked.kind.removeprefix("expect_"), (None, ()))
    kwargs = {name: value for name, value in asked.kwargs.items() if value is not None}
    if build is None or not asked.kind.startswith("expect_") or not set(kwargs) <= set(words):
        return None
    mostly = kwargs.get("mostly", 1.0)
    flags = [kwargs[name] for name in ("strict_min", "strict_max") if name in kwargs]
    if (
        isinstance(mostly, bool)
        or not isinstance(mostly, int | float)
        or not 0 <= mostly <= 1
        or not all(isinstance(one, bool) for one in flags)
    ):
        return None
    return build(Given(asked, layout, kwargs))
