"""Statements and tables at the edges: very long, very wide, very deep, empty."""

import signal
import subprocess
import sys

import pytest
from adbc_driver_manager import AdbcStatusCode, Error

from server import LARGE_MESSAGES, Server, wait_until


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


MILLION = "generate_series(1, 1000000)"
ENDLESS = {
    "cross": f"{MILLION} AS a(x) CROSS JOIN {MILLION} AS b(y)",
    "nested loops without a pair": f"{MILLION} AS a(x) JOIN {MILLION} AS b(y) ON x > y + 2000000",
    "nested loops with many": f"{MILLION} AS a(x) JOIN {MILLION} AS b(y) ON x < y",
    "outer nested loops": f"{MILLION} AS a(x) FULL JOIN {MILLION} AS b(y) ON x > y + 2000000",
    "one key": f"{MILLION} AS a(x) JOIN {MILLION} AS b(y) ON x % 1 = y % 1",
    "one key and a filter": f"{MILLION} AS a(x) JOIN {MILLION} AS b(y) ON x % 1 = y % 1 AND x > y + 2000000",
}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server with a short deadline."""
    limits = {"SQE__LIMITS__STATEMENT_TIMEOUT": "2s"}
    with Server(tmp_path_factory.mktemp("hasty"), env=limits) as running:
        yield running


@pytest.mark.parametrize("join", ENDLESS)
def test_a_deadline_ends_a_join_and_others_go_on_meanwhile(hasty, join):
    with hasty.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT sum(x % 7) AS n FROM {ENDLESS[join]}")
        # The statement runs by now. The deadline of this one is as short.
        with hasty.connect() as other, other.cursor() as meanwhile:
            meanwhile.execute("SELECT 1 AS one")
            assert meanwhile.fetchall() == [(1,)]
        with pytest.raises(Error) as raised:
            cursor.fetchall()
        assert raised.value.status_code == AdbcStatusCode.TIMEOUT
    wait_until(hasty.is_idle, what="the end of the join's tasks")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server with little memory."""
    with Server(tmp_path_factory.mktemp("small"), env={"SQE__LIMITS__MEMORY": "64MiB"}) as running:
        yield running


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "SELECT max(r), sum(r) FROM (SELECT row_number() OVER (ORDER BY x % 1000003, x) AS r"
            " FROM generate_series(1, 10000000) AS t(x))",
            [(10_000_000, 50_000_005_000_000)],
        ),
        (
            "SELECT count(*), sum(n) FROM (SELECT x, count(*) AS n"
            " FROM generate_series(1, 8000000) AS t(x) GROUP BY x)",
            [(8_000_000, 8_000_000)],
        ),
    ],
)
def test_what_does_not_fit_into_memory_goes_to_disk(small, sql, expected):
    with small.connect() as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.fetchall() == expected


def test_a_join_beyond_the_memory_says_so(small):
    series = "generate_series(1, 9000000)"
    for condition, operator in [("x = y", "a hash join"), ("x < y", "a nested-loop join")]:
        with small.connect() as connection, connection.cursor() as cursor:
            message = rf"out of memory: {operator} needs .* \(limits.memory\); raise limits.memory"
            with pytest.raises(Error, match=message) as raised:
                sql = f"SELECT count(*) FROM {series} AS a(x) JOIN {series} AS b(y) ON {condition}"
                cursor.execute(sql)
                cursor.fetchall()
            assert "Failed to allocate" not in str(raised.value)
