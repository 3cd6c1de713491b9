"""The comparison itself: it must tell wrong answers from right ones."""

import decimal

import pyarrow as pa
import pytest

from oracle import assert_same

RIGHT = pa.table({"n": [1, 2, 2], "s": ["a", None, "b"], "x": [1.0, float("nan"), 3.0]})


def changed(column, values):
    index = RIGHT.column_names.index(column)
    return RIGHT.set_column(index, column, pa.array(values))


@pytest.mark.parametrize(
    "wrong",
    [
        changed("n", [1, 2, 3]),
        changed("s", ["a", "", "b"]),
        changed("x", [1.0, 2.0, 3.0]),
        changed("x", [1.00000001, float("nan"), 3.0]),
        changed("x", [None, float("nan"), 3.0]),
        RIGHT.slice(1),
        RIGHT.rename_columns(["n", "s", "y"]),
        RIGHT.take([2, 1, 0]),
    ],
)
def test_a_wrong_answer_is_seen(wrong):
    with pytest.raises(AssertionError):
        assert_same(wrong, RIGHT, ["n"])


def test_what_an_order_leaves_open_is_equal():
    assert_same(RIGHT, RIGHT, ["n", "s"])
    assert_same(RIGHT.take([0, 2, 1]), RIGHT, ["n"])
    assert_same(RIGHT.take([2, 0, 1]), RIGHT)
    assert_same(changed("x", [1.0 + 1e-12, float("nan"), 3.0]), RIGHT)


def test_a_decimal_equals_a_float_up_to_its_last_digit():
    floats = pa.table({"d": [2 / 3]})

    def decimals(text):
        return pa.table({"d": [decimal.Decimal(text)]})

    assert_same(decimals("0.666667"), floats)
    assert_same(decimals("0.666666"), floats)
    with pytest.raises(AssertionError):
        assert_same(decimals("0.666669"), floats)
