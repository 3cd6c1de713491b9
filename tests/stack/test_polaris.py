"""The smallest configuration, unchanged, beside the catalog: `sqe-cli` logs in, makes a table, reads it."""

import os
import pathlib
import subprocess

import pytest

import lake
from lake import ENV, WAREHOUSE, Namespace, binary
from watch import WATCH


@pytest.fixture(scope="module")
def cli(minimal):
    """`cli(*arguments, password=...)` runs the client as root to its end."""
    command = [binary("sqe-cli"), "--protocol", "flight", "--host", "localhost"]
    command += ["--port", str(minimal.port), "-u", ENV["CLIENT_ID"]]

    def run(*arguments, password=ENV["CLIENT_SECRET"]):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SQE_")}
        done = subprocess.run(
            [*command, *arguments],
            env={**kept, "SQE_PASSWORD": password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        WATCH.says(done.stdout + done.stderr)
        return done

    return run


@pytest.fixture
def namespace():
    with Namespace("polaris") as made:
        yield made


def test_one_row_looks_like_this(cli):
    done = cli("-e", "SELECT 1 AS one")
    assert (done.stdout, done.stderr, done.returncode) == ("one\n-----\n1\n(1 row)\n", "", 0)


def test_a_table_is_made_and_read(cli, namespace):
    table = f"{namespace.full}.orders"
    made = cli("-e", f"CREATE TABLE {table} AS SELECT * FROM tpch.sf0_01.orders")
    assert made.returncode == 0, made.stderr
    read = cli("--format", "csv", "-e", f"SELECT count(*) AS n, min(o_orderkey) AS m FROM {table}")
    assert (read.stdout, read.stderr, read.returncode) == ("n,m\n15000,1\n", "", 0)
    # It is a table of the catalog, in the store.
    location = namespace.catalog.load_table(namespace.name, "orders").json["metadata"]["location"]
    assert location.startswith(f"s3://{ENV['S3_BUCKET']}/")


def test_rows_are_added_listed_and_dropped(cli, namespace):
    table = f"{namespace.full}.t"
    steps = [f"CREATE TABLE {table} (a INT, b VARCHAR)", f"INSERT INTO {table} VALUES (1, 'x')"]
    steps += [f"INSERT INTO {table} SELECT a + 1, b FROM {table}"]
    done = cli("-e", "; ".join(steps))
    assert done.returncode == 0, done.stderr
    read = cli("--format", "csv", "-e", f"SELECT * FROM {table} ORDER BY a")
    assert read.stdout == "a,b\n1,x\n2,x\n", read.stderr
    listed = cli("--format", "csv", "-e", f"SHOW TABLES FROM {namespace.full}")
    assert "t" in listed.stdout.split("\n")[1].split(","), listed.stdout + listed.stderr
    assert cli("-e", f"DROP TABLE {table}").returncode == 0
    gone = cli("-e", f"SELECT * FROM {table}")
    assert gone.returncode == 3 and "not found" in gone.stderr


def test_the_warehouse_is_the_catalog_and_default_its_schema(cli):
    done = cli("--format", "csv", "-e", "SELECT current_catalog AS c, current_schema() AS s")
    assert done.stdout == f"c,s\n{WAREHOUSE},default\n", done.stderr
    assert WAREHOUSE in cli("--format", "csv", "-e", "SHOW CATALOGS").stdout


def test_a_wrong_password_is_refused(cli):
    done = cli("-e", "SELECT 1 AS one", password="wrong")
    assert (done.stdout, done.returncode) == ("", 2)
    assert "password" in done.stderr and "wrong" in done.stderr


def test_no_key_of_the_store_is_with_the_server(minimal):
    environment = pathlib.Path(f"/proc/{minimal.process.pid}/environ").read_text()
    for given in (lake.MINIMAL.read_text(), environment):
        assert ENV["S3_ROOT_KEY"] not in given and ENV["CLIENT_SECRET"] not in given
        for name in ("access_key", "secret_key", "AWS_"):
            assert name not in given
