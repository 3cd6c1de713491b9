"""A hot point query on a table of the REST catalog, beside the bare round trip that it has to make.

Each statement asks the catalog whether this user may load the table, and whether it has changed:
a request with the entity tag of the last answer. The same request is sent here over one kept
connection, and one for the whole table, in turn with the query, so that all see the same machine.
Needs the environment of the test stack.
"""

import argparse
import http.client
import itertools
import os
import pathlib
import sys
import tempfile
import urllib.parse
import uuid

from harness import process, quantile, report, seconds

_TESTING = pathlib.Path(__file__).parents[1] / "testing"
sys.path.insert(0, str(_TESTING))

from checks.support import DELEGATION, ENV, Catalog, root_token  # noqa: E402

KEYS = [1, 4007, 15_015, 29_954, 42_017]
SETTLING = 50
"""Rounds that do not count."""


class LoadTable:
    """Requests to load one table, over a connection that is kept."""

    def __init__(self, namespace: str, table: str):
        token = root_token()
        uri = urllib.parse.urlsplit(ENV["CATALOG_URI"])
        prefix = Catalog(token).config["prefix"]
        self._path = f"{uri.path}/v1/{prefix}/namespaces/{namespace}/tables/{table}"
        self._headers = {"Authorization": f"Bearer {token}", **DELEGATION}
        self._connection = http.client.HTTPConnection(uri.netloc)
        self._tag = {"If-None-Match": self._send(200).headers["ETag"]}

    def _send(self, status: int, **more: str) -> http.client.HTTPResponse:
        self._connection.request("GET", self._path, headers={**self._headers, **more})
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == status, answer.status
        return answer

    def whole(self):
        self._send(200)

    def if_changed(self):
        self._send(304, **self._tag)


def measure(cursor, schema: str, count: int) -> list[list[float]]:
    """Milliseconds of `count` queries, conditional requests and whole ones."""
    warehouse = ENV["WAREHOUSE"]
    table = f"{warehouse}.{schema}.orders"
    cursor.execute(f"CREATE TABLE {table} AS SELECT * FROM tpch.sf0_1.orders ORDER BY o_orderkey")
    request = LoadTable(schema, "orders")
    keys = itertools.cycle(KEYS)

    def query():
        cursor.execute(f"SELECT o_custkey, o_comment FROM {table} WHERE o_orderkey = {next(keys)}")
        return cursor.fetchall()

    assert all(len(query()) == 1 for _ in KEYS), "each of the keys has one order"
    works = (query, request.if_changed, request.whole)
    times = [[seconds(work) * 1e3 for work in works] for _ in range(SETTLING + count)]
    cursor.execute(f"DROP TABLE {table}")
    return [list(column) for column in zip(*times[SETTLING:])]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=1000)
    options = arguments.parse_args()

    login = {"username": ENV["CLIENT_ID"], "password": ENV["CLIENT_SECRET"]}
    schema = f"bench_{uuid.uuid4().hex[:8]}"
    # No key of the store reaches the server.
    hidden = {name: None for name in os.environ if name.startswith(("SQE__", "AWS_"))}
    with (
        tempfile.TemporaryDirectory(prefix="sqe-bench-") as folder,
        process.Server(folder, "--config", str(_TESTING / "minimal.toml"), env=hidden) as server,
        server.connect(user=None, options=login) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE SCHEMA {ENV['WAREHOUSE']}.{schema}")
        query, if_changed, whole = measure(cursor, schema, options.count)
        cursor.execute(f"DROP SCHEMA {ENV['WAREHOUSE']}.{schema}")
    for name, times in (
        ("point query over Flight", query),
        ("load table, if changed", if_changed),
        ("load table", whole),
    ):
        p50, p99 = quantile(times, 0.5), quantile(times, 0.99)
        print(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    beyond = quantile(query, 0.5) - quantile(if_changed, 0.5)
    report("point query beyond the bare round trip, p50", beyond, " ms", 5)


if __name__ == "__main__":
    main()
