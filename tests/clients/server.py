"""A started `sqe-server` and connections to it. Knows the flags and lines of the binary, no SQL."""

import os
import pathlib
import signal
import subprocess
import threading
import time

from adbc_driver_flightsql import DatabaseOptions, dbapi


def cache_dir() -> pathlib.Path:
    """Where builds, environments and data of the tests stay between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "sqe"


def binary(name: str) -> str:
    """The path of a built binary: `SQE_SERVER` or `SQE_CLI`, else the one of the dev profile."""
    named = os.environ.get(name.replace("-", "_").upper())
    if named:
        return named
    target = os.environ.get("CARGO_TARGET_DIR") or cache_dir() / "target"
    path = pathlib.Path(target) / "debug" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built: cargo build --workspace --bins")
    return str(path)


class Server:
    """One server process over `data_dir`, on free ports. A context manager that stops it."""

    def __init__(self, data_dir, *arguments: str, env: dict[str, str | None] | None = None):
        """`env` changes what it inherits of the environment; `None` removes."""
        self.data_dir = pathlib.Path(data_dir)
        command = [binary("sqe-server"), "--port", "0", "--http-port", "0"]
        command += ["--data-dir", str(data_dir), *arguments]
        inherited = {**os.environ, **(env or {})}
        self.process = subprocess.Popen(
            command,
            env={name: value for name, value in inherited.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        # Reads to the end, so that the server never blocks on a full pipe.
        threading.Thread(target=self._read_stderr, daemon=True).start()

    def _read_stderr(self):
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._lines.append("")
            self._changed.notify_all()

    def address(self, prefix: str = "listening on ", timeout: float = 60) -> str:
        """Waits for the line `PREFIX ADDRESS` and returns the address."""

        def seen():
            return [line for line in self._lines if line.startswith(prefix)] or "" in self._lines

        with self._changed:
            self._changed.wait_for(seen, timeout)
            for line in self._lines:
                if line.startswith(prefix):
                    return line.removeprefix(prefix).strip()
        raise RuntimeError(f"no line {prefix!r} from the server:\n{self.log}")

    @property
    def log(self) -> str:
        """What the server wrote to stderr so far."""
        with self._changed:
            return "".join(self._lines)

    @property
    def port(self) -> int:
        """Where it listens for Flight SQL."""
        return int(self.address().rpartition(":")[2])

    def connect(self, user: str | None = "tester", options: dict[str, str] | None = None):
        """A new connection; without a user it does not log in."""
        kwargs = dict(options or {})
        if user is not None:
            kwargs |= {"username": user, "password": ""}
        return dbapi.connect(f"grpc://{self.address()}", db_kwargs=kwargs, autocommit=True)

    def stop(self, timeout: float = 60) -> int:
        """Asks it to end and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self):
        """Ends it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def resident_bytes(self) -> int:
        """Physical memory of the process now."""
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """Processor time the process has used so far."""
        fields = (
            pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_idle(self) -> bool:
        """Whether half a second passes with nearly no work done."""
        before = self.cpu_seconds()
        time.sleep(0.5)
        return self.cpu_seconds() - before < 0.1

    def __enter__(self):
        try:
            self.address()
        except Exception:
            self.kill()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def wait_until(condition, timeout: float = 90, what: str = "the condition"):
    """Polls until `condition()` is true; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come true within {timeout} s")
        time.sleep(0.05)


LARGE_MESSAGES = {DatabaseOptions.WITH_MAX_MSG_SIZE.value: str(256 << 20)}
