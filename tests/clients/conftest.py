"""Fixtures: one server for the session, a connection and a schema of its own for each test."""

import itertools

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from server import Server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server that all tests share which do not stop it or break its files."""
    with Server(tmp_path_factory.mktemp("shared")) as running:
        yield running
        assert running.process.poll() is None, f"the server died:\n{running.log}"


@pytest.fixture
def connection(server):
    """A connection of a user with a name."""
    with server.connect() as opened:
        yield opened


@pytest.fixture
def cursor(connection):
    """A cursor on `connection`."""
    with connection.cursor() as opened:
        yield opened


@pytest.fixture
def schema(cursor):
    """The name of a new schema, in which `cursor` looks up names."""
    name = f"s{next(_numbers)}"
    cursor.execute(f"CREATE SCHEMA {name}")
    cursor.execute(f"USE {name}")
    return name


@pytest.fixture
def ask(cursor):
    """`ask(sql)` runs a statement and returns its rows as an Arrow table."""

    def run(sql: str):
        cursor.execute(sql)
        return cursor.fetch_arrow_table()

    return run


@pytest.fixture
def iceberg(server):
    """PyIceberg's view of the server's catalog."""
    path = server.data_dir
    return SqlCatalog(
        "catalog", uri=f"sqlite:///{path}/catalog.db", warehouse=f"file://{path}/warehouse"
    )
