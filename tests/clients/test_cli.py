"""`sqe-cli` as a script and a person use it: output, exit codes, files, memory, Ctrl-C."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from server import binary, wait_until

ENDLESS = "SELECT count(*) AS n FROM tpch.sf100.lineitem AS a JOIN tpch.sf100.lineitem AS b USING (l_comment)"


@pytest.fixture(scope="module")
def command(server):
    """The command line of a client that talks to the shared server."""
    address = ["--protocol", "flight", "--host", "127.0.0.1", "--port", str(server.port)]
    return [binary("sqe-cli"), *address, "-u", "root"]


@pytest.fixture(scope="module")
def cli(command):
    """`cli(*arguments, stdin="")` runs the client to its end."""

    def run(*arguments, stdin=""):
        return subprocess.run(
            [*command, *arguments], input=stdin, capture_output=True, text=True, timeout=120
        )

    return run


ONE = "one\n-----\n1\n(1 row)\n"


def test_one_row_looks_like_this(cli):
    done = cli("-e", "SELECT 1 AS one")
    assert (done.stdout, done.stderr, done.returncode) == (ONE, "", 0)


def test_it_looks_the_same_on_a_terminal(command):
    terminal = Terminal([*command, "-e", "SELECT 1 AS one"])
    assert terminal.wait() == 0
    assert terminal.output.replace("\r\n", "\n") == ONE


PEOPLE = """SELECT * FROM (VALUES (1, 'Müller, "Jo"'), (20, NULL)) AS t (id, name) ORDER BY id"""


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("table", 'id | name\n---+--------------\n1  | Müller, "Jo"\n20 | NULL\n(2 rows)\n'),
        ("csv", 'id,name\n1,"Müller, ""Jo"""\n20,\n'),
        ("tsv", 'id\tname\n1\t"Müller, ""Jo"""\n20\t\n'),
        ("json", '[{"id":1,"name":"Müller, \\"Jo\\""},{"id":20,"name":null}]\n'),
        ("ndjson", '{"id":1,"name":"Müller, \\"Jo\\""}\n{"id":20,"name":null}\n'),
        ("markdown", '| id | name |\n| --- | --- |\n| 1 | Müller, "Jo" |\n| 20 | NULL |\n'),
        (
            "vertical",
            '-[ ROW 1 ]-\nid   | 1\nname | Müller, "Jo"\n-[ ROW 2 ]-\nid   | 20\nname | NULL\n(2 rows)\n',
        ),
    ],
)
def test_formats(cli, form, expected):
    done = cli("--format", form, "-e", PEOPLE)
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


def test_formats_that_programs_read_are_read_back(cli):
    def out(form):
        return cli("--format", form, "-e", PEOPLE).stdout

    assert json.loads(out("json")) == [json.loads(line) for line in out("ndjson").splitlines()]
    assert list(csv.reader(io.StringIO(out("csv"))))[1] == ["1", 'Müller, "Jo"']


def test_statements_come_from_flags_files_and_stdin(cli, tmp_path):
    text = "-- a comment; with a semicolon\nSELECT ';' AS s;\n\nSELECT 2 AS n;\n"
    (tmp_path / "q.sql").write_text(text)
    both = cli("--format", "csv", "-e", "SELECT ';' AS s; SELECT 2 AS n").stdout
    assert both == "s\n;\nn\n2\n"
    assert cli("--format", "csv", "-f", str(tmp_path / "q.sql")).stdout == both
    assert cli("--format", "csv", stdin=text).stdout == both
    assert cli("--format", "csv", "-e", "SELECT ';' AS s", "-e", "SELECT 2 AS n").stdout == both


def test_settings_last_for_all_statements_of_a_run(cli):
    done = cli(
        "--format",
        "csv",
        "-e",
        "CREATE SCHEMA cli; USE cli; CREATE TABLE t AS SELECT 7 AS n",
        "-e",
        "SELECT n FROM t",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("n\n7\n")


def test_exit_codes(cli, command, tmp_path):
    assert cli("--no-such-flag").returncode == 1
    assert cli("-f", str(tmp_path / "missing.sql")).returncode == 1
    assert cli("-e", "SELECT nonsense").returncode == 3
    nobody_there = [*command[:-3], "1", "-e", "SELECT 1"]
    done = subprocess.run(nobody_there, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "127.0.0.1:1" in done.stderr


def test_the_first_error_ends_a_run(cli):
    done = cli("--format", "csv", "-e", "SELECT 1 AS a; SELECT nonsense; SELECT 2 AS b")
    assert (done.stdout, done.returncode) == ("a\n1\n", 3)


def test_a_caret_stands_under_the_place_of_an_error(cli):
    done = cli("-e", "SELECT 1;\nSELECT 1 +\n  FROM t")
    line, caret = done.stderr.splitlines()[1:3]
    assert line.startswith("LINE 3: ") and line.endswith("  FROM t")
    assert caret.index("^") == line.index("FROM")
    shown = cli("-e", "SELECT lenght('x')").stderr
    assert "\nHINT: did you mean 'length'?" in shown and shown.count("did you mean") == 1


def peak_bytes(command):
    """The largest resident set of a run whose output is read and counted, and that count."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    size, peak = 0, 0
    while chunk := process.stdout.read(1 << 20):
        size += len(chunk)
        # The figure of wait4 is at least that of the process that forked, which is this one.
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/status") as status:
            lines = [line.split() for line in status if line.startswith("VmHWM:")]
            peak = max([peak, *(int(kib) * 1024 for _, kib, _ in lines)])
    assert process.wait() == 0 and peak > 0
    return peak, size


@pytest.mark.parametrize("form", ["csv", "ndjson", "json"])
def test_a_large_result_streams_through_little_memory(command, form):
    def run(scale):
        sql = f"SELECT l_orderkey, l_shipdate, l_comment FROM tpch.{scale}.lineitem"
        return peak_bytes([*command, "--format", form, "-e", sql])

    small, _ = run("sf0_01")
    large, size = run("sf1")
    assert size > 200 << 20
    assert large < small + (32 << 20) and large < 150 << 20


def test_a_reader_that_stops_early_is_no_error(command):
    script = " ".join(
        [*command, "--format", "csv", "-e", "'SELECT * FROM tpch.sf1.orders'", "| head -n 2"]
    )
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 2 and done.stderr == ""


def test_sigint_ends_a_statement_on_the_server(command, server):
    process = subprocess.Popen(
        [*command, "-e", ENDLESS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: not server.is_idle(), what="work on the server")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    wait_until(server.is_idle, what="rest on the server")


def test_ctrl_c_cancels_and_the_prompt_comes_back(command, server):
    terminal = Terminal(command)
    terminal.expect(r"> ?$")
    terminal.send(f"{ENDLESS};\r")
    wait_until(lambda: not server.is_idle(), what="work on the server")
    terminal.send("\x03")
    terminal.expect(r"(?i)cancel")
    wait_until(server.is_idle, what="rest on the server")
    terminal.send("SELECT 40 + 2\r AS answer;\r")
    terminal.expect(r"answer\s+-+\s+42\s+\(1 row\)")
    terminal.send("\\q\r")
    assert terminal.wait() == 0


class Terminal:
    """A program on a pseudo-terminal that answers the questions line editors ask."""

    def __init__(self, command):
        self.output = ""
        self._seen = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(command[0], command)

    def send(self, keys: str):
        os.write(self._fd, keys.encode())

    def _read(self, timeout: float) -> bool:
        """Reads what there is; false at the end."""
        if not select.select([self._fd], [], [], timeout)[0]:
            return True
        try:
            chunk = os.read(self._fd, 1 << 16).decode(errors="replace")
        except OSError:
            return False
        for _ in range(chunk.count("\x1b[6n")):
            self.send("\x1b[1;1R")
        self.output += chunk
        return bool(chunk)

    def expect(self, pattern: str, timeout: float = 30):
        """Waits until what came since the last match, without colours, has `pattern`."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            alive = self._read(0.1)
            plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>78]", "", self.output[self._seen :])
            if re.search(pattern, plain, re.MULTILINE):
                self._seen = len(self.output)
                return
            if not alive:
                break
        raise AssertionError(f"no {pattern!r} in {plain!r}")

    def wait(self) -> int:
        """Reads to the end and returns the exit code."""
        deadline = time.monotonic() + 60
        while self._read(0.1):
            assert time.monotonic() < deadline, f"it does not end: {self.output!r}"
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
