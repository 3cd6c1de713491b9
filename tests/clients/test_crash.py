"""Servers that are killed, disks that are full, files that are broken: what is there stays right."""

import contextlib
import pathlib
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest
from adbc_driver_manager import AdbcStatusCode, Error

from server import Server, wait_until


def run(server, sql):
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def failure(server, sql):
    with pytest.raises(Error) as raised:
        run(server, sql)
    return raised.value.status_code, str(raised.value)


def metadata_files(server, table):
    return sorted((server.data_dir / "warehouse").rglob(f"{table}*/metadata/*.metadata.json"))


def data_files(server, table):
    return sorted((server.data_dir / "warehouse").rglob(f"{table}*/data/**/*.parquet"))


LINES = 60175


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
def test_kill_in_the_middle_of_ctas(tmp_path, delay):
    with Server(tmp_path) as server:
        run(server, "CREATE TABLE before AS SELECT * FROM tpch.sf0_01.orders")

        def create():
            with contextlib.suppress(Error):
                run(server, "CREATE TABLE big AS SELECT * FROM tpch.sf0_01.lineitem")

        thread = threading.Thread(target=create)
        thread.start()
        time.sleep(delay)
        server.kill()
        thread.join()

    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with Server(tmp_path) as server:
        assert run(server, "SELECT count(*) FROM before") == [(15000,)]
        tables = run(
            server, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
        )
        assert ("before",) in tables
        if ("big",) in tables:
            assert run(server, "SELECT count(*) FROM big") == [(LINES,)]
            run(server, "DROP TABLE big")
        run(server, "CREATE TABLE big AS SELECT * FROM tpch.sf0_01.lineitem")
        assert run(server, "SELECT count(*) FROM big") == [(LINES,)]


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "sqe-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    assert done.returncode == 0, f"this test mounts a small disk, which needs root: {done.stderr}"
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_ends_the_statement_only(small_disk):
    with Server(small_disk) as server:
        run(server, "CREATE TABLE small AS SELECT * FROM tpch.sf0_01.orders")
        used = shutil.disk_usage(small_disk).used
        for sql in [
            "CREATE TABLE big AS SELECT * FROM tpch.sf1.orders",
            "INSERT INTO small SELECT * FROM tpch.sf1.orders",
        ]:
            status, message = failure(server, sql)
            assert "space" in message.lower(), message
            assert status != AdbcStatusCode.OK
            wait_until(
                lambda: shutil.disk_usage(small_disk).used < used + (1 << 20), what="free space"
            )
        assert run(server, "SELECT count(*) FROM small") == [(15000,)]
        run(server, "INSERT INTO small SELECT * FROM tpch.sf0_01.orders LIMIT 5")
        assert run(server, "SELECT count(*) FROM small") == [(15005,)]
        assert failure(server, "SELECT * FROM big")[0] == AdbcStatusCode.NOT_FOUND


def not_json(server):
    for path in metadata_files(server, "broken"):
        path.write_text("not JSON")
    return ".metadata.json"


def no_metadata(server):
    for path in metadata_files(server, "broken"):
        path.unlink()
    return ".metadata.json"


def no_data(server):
    (path,) = data_files(server, "broken")
    path.unlink()
    return path.name


def half_a_file(server):
    (path,) = data_files(server, "broken")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


def other_bytes(server):
    (path,) = data_files(server, "broken")
    path.write_bytes(bytes(path.stat().st_size))
    return path.name


@pytest.mark.parametrize("damage", [not_json, no_metadata, no_data, half_a_file, other_bytes])
def test_a_broken_table_breaks_no_other(tmp_path, damage):
    with Server(tmp_path) as server:
        for table in ("broken", "whole"):
            run(server, f"CREATE TABLE {table} AS SELECT value AS a FROM generate_series(1, 1000)")
        assert server.stop() == 0
    with Server(tmp_path) as server:
        named = damage(server)
        status, message = failure(server, "SELECT sum(a) FROM broken")
        assert named in message, message
        assert status in (AdbcStatusCode.IO, AdbcStatusCode.INTERNAL, AdbcStatusCode.NOT_FOUND)
        assert run(server, "SELECT sum(a) FROM whole") == [(500500,)]
        shown = run(
            server, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
        )
        assert ("whole",) in shown
        run(server, "INSERT INTO whole VALUES (1)")
        run(server, "DROP TABLE broken")
        assert failure(server, "SELECT * FROM broken")[0] == AdbcStatusCode.NOT_FOUND


def test_sigterm_lets_a_query_finish(tmp_path):
    with Server(tmp_path) as server:
        answers = []
        sql = "SELECT count(DISTINCT l_comment) > 0 AS some, count(*) AS n FROM tpch.sf0_1.lineitem"

        def ask():
            # Closing what was opened finds no server any more.
            with contextlib.suppress(Error), server.connect() as own, own.cursor() as cursor:
                cursor.execute(sql)
                answers.append(cursor.fetchall())

        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: not server.is_idle(), what="work on the server")
        assert server.stop() == 0
        thread.join(10)
        assert answers == [[(True, 600572)]]
        with pytest.raises(Error):
            run(server, "SELECT 1")


def test_two_servers_share_a_catalog(tmp_path):
    with Server(tmp_path) as one, Server(tmp_path) as two:
        run(one, "CREATE TABLE t (a INT)")

        def insert(server, start):
            for number in range(start, start + 10):
                run(server, f"INSERT INTO t VALUES ({number})")

        threads = [
            threading.Thread(target=insert, args=pair) for pair in [(one, 0), (two, 10), (one, 20)]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for server in (one, two):
            assert run(server, "SELECT a FROM t ORDER BY a") == [(n,) for n in range(30)]
        run(two, "DROP TABLE t")
        assert failure(one, "SELECT * FROM t")[0] == AdbcStatusCode.NOT_FOUND


def test_a_data_directory_that_cannot_be_written_is_one_line(tmp_path):
    blocked = pathlib.Path(tmp_path, "file")
    blocked.write_text("")
    server = Server(blocked / "below")
    assert server.process.wait(30) == 2
    wait_until(lambda: server.log, what="a line on stderr")
    assert str(blocked) in server.log and len(server.log.splitlines()) == 1
