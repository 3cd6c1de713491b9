"""Statements and tables at the edges: very long, very wide, very deep, empty."""

import signal
import subprocess
import sys

import pytest
from adbc_driver_manager import Error

from server import LARGE_MESSAGES, wait_until


def test_a_statement_of_64_mib_is_refused_and_one_of_15_is_not(server):
    def text_of(size):
        head, tail = "SELECT length('", "') AS n"
        return head + "x" * (size - len(head) - len(tail)) + tail

    with server.connect(options=LARGE_MESSAGES) as connection, connection.cursor() as cursor:
        with pytest.raises(Error, match="67108864 bytes is above the limit of 16777216"):
            cursor.execute(text_of(64 << 20))
        cursor.execute(text_of(15 << 20))
        ((length,),) = cursor.fetchall()
        assert (14 << 20) < length < (15 << 20)


def test_a_list_of_100_000_values(cursor):
    values = ", ".join(str(number * 3) for number in range(100_000))
    cursor.execute(f"SELECT count(*) FROM tpch.sf0_1.orders WHERE o_orderkey IN ({values})")
    ((found,),) = cursor.fetchall()
    cursor.execute(
        "SELECT count(*) FROM tpch.sf0_1.orders WHERE o_orderkey % 3 = 0 AND o_orderkey < 300000"
    )
    assert cursor.fetchall() == [(found,)] and found > 0


def test_2_000_nested_parentheses_are_refused_and_100_are_not(cursor):
    def nested(depth):
        return f"SELECT {'(' * depth}1{')' * depth} AS one"

    with pytest.raises(Error, match="nests deeper than"):
        cursor.execute(nested(2000))
    cursor.execute(nested(100))
    assert cursor.fetchall() == [(1,)]


def test_10_000_columns(schema, cursor):
    columns = ", ".join(f"{number} AS c{number}" for number in range(10_000))
    cursor.execute(f"CREATE TABLE wide AS SELECT {columns}")
    cursor.execute("SELECT * FROM wide")
    assert cursor.fetchall() == [tuple(range(10_000))]
    cursor.execute("SELECT c9999, c0 FROM wide WHERE c5000 = 5000")
    assert cursor.fetchall() == [(9999, 0)]


def test_an_empty_table(schema, cursor):
    cursor.execute("CREATE TABLE t (a INT, b VARCHAR)")
    for sql, expected in [
        ("SELECT * FROM t", []),
        ("SELECT count(*), sum(a), min(b) FROM t", [(0, None, None)]),
        ("SELECT a FROM t WHERE b = 'x' ORDER BY a LIMIT 3", []),
    ]:
        cursor.execute(sql)
        assert cursor.fetchall() == expected


def test_no_column_is_read(schema, cursor):
    cursor.execute("CREATE TABLE t AS SELECT value AS a FROM generate_series(1, 12345)")
    for sql, expected in [
        ("SELECT count(*) FROM t", [(12345,)]),
        ("SELECT 'x' FROM t LIMIT 2", [("x",), ("x",)]),
        ("SELECT count(*) FROM t AS x CROSS JOIN (SELECT 1 FROM t LIMIT 2) AS y", [(24690,)]),
    ]:
        cursor.execute(sql)
        assert cursor.fetchall() == expected


VANISHING = """
import sys
from adbc_driver_flightsql import dbapi
connection = dbapi.connect(sys.argv[1], db_kwargs={"username": "gone", "password": ""}, autocommit=True)
print("connected", flush=True)
connection.cursor().execute(sys.argv[2])
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_client_that_vanishes_in_the_middle_of_an_insert(server, schema, cursor, end):
    cursor.execute("CREATE TABLE t AS SELECT * FROM tpch.sf0_01.lineitem LIMIT 10")

    def files():
        return {path for path in (server.data_dir / "warehouse").rglob("*") if path.is_file()}

    before = files()
    insert = f"INSERT INTO {schema}.t SELECT * FROM tpch.sf10.lineitem"
    command = [sys.executable, "-c", VANISHING, f"grpc://{server.address()}", insert]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert client.stdout.readline() == b"connected\n"
    wait_until(lambda: files() != before, what="a data file of the INSERT")
    client.send_signal(end)
    client.wait(60)
    wait_until(lambda: files() == before, what="the removal of the INSERT's files")
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchall() == [(10,)]
