"""DuckDB as the judge of answers, and what counts as equal."""

import collections
import decimal
import glob
import math
import sys

import duckdb
import pyarrow as pa


def duck(*extensions: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB with the named extensions, loaded from their PyPI packages, without a network."""
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false; SET TimeZone = 'UTC'")
    for name in extensions:
        pattern = f"{sys.prefix}/lib/python*/site-packages/duckdb_extension_{name}"
        (path,) = glob.glob(f"{pattern}/extensions/*/{name}.duckdb_extension")
        connection.execute(f"LOAD '{path}'")
    return connection


def rows(answer) -> list[tuple]:
    """The rows of an Arrow table as tuples of Python values."""
    return list(zip(*(column.to_pylist() for column in answer.columns)))


def assert_same(actual: pa.Table, expected: pa.Table, ordered_by: list[str] | None = None):
    """Asserts equal column names and equal rows.

    Integers, strings, dates and decimals are equal exactly, floats within 1e-9 of their size, and
    a decimal equals a float within one unit of its last digit. `ordered_by`: the columns whose
    order the statement determines; None compares the rows as a bag.
    """
    assert actual.column_names == expected.column_names
    assert actual.num_rows == expected.num_rows
    for name in ordered_by or []:
        ours, theirs = actual[name].to_pylist(), expected[name].to_pylist()
        assert all(map(_equal, ours, theirs)), f"order of {name}: {ours[:10]} for {theirs[:10]}"
    exact = [
        name for name in actual.column_names if _exact(actual[name]) and _exact(expected[name])
    ]
    ours, theirs = _by_key(actual, exact), _by_key(expected, exact)
    assert ours.keys() == theirs.keys()
    for key, group in theirs.items():
        for mine, row in zip(ours[key], group, strict=True):
            assert all(map(_equal, mine, row)), f"{mine} for {row}"


def _exact(column: pa.ChunkedArray) -> bool:
    return not pa.types.is_floating(column.type) and not pa.types.is_nested(column.type)


def _by_key(answer: pa.Table, exact: list[str]) -> dict[tuple, list[tuple]]:
    """The rows in a fixed order, grouped by their exactly comparable values."""
    groups = collections.defaultdict(list)
    keys = rows(answer.select(exact)) if exact else [()] * answer.num_rows
    for key, row in zip(keys, rows(answer), strict=True):
        groups[key].append(row)
    for group in groups.values():
        group.sort(key=lambda row: tuple((value is None, _sortable(value)) for value in row))
    return groups


def _sortable(value):
    match value:
        case None:
            return 0
        case float() | decimal.Decimal():
            # Values that differ only by rounding must sort alike.
            return float(f"{value:.6e}")
        case list() | dict():
            return repr(value)
    return value


def _equal(actual, expected) -> bool:
    match actual, expected:
        case decimal.Decimal(), float():
            unit = decimal.Decimal(1).scaleb(actual.as_tuple().exponent)
            return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=float(unit))
        case float(), float():
            same_nan = math.isnan(actual) and math.isnan(expected)
            return same_nan or math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-12)
    return actual == expected
