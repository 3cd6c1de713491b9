"""The JDBC driver of Arrow Flight SQL, as a program of the tests uses it."""

import functools
import pathlib
import subprocess

from watch import WATCH

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PROGRAM = pathlib.Path(__file__).with_name("Jdbc.java")


class JdbcError(Exception):
    """What the driver threw, with all causes."""


@functools.cache
def _java() -> list[str]:
    """The command of a Java that has the driver; the first call may fetch the driver."""
    said = subprocess.run(
        [str(_ROOT / "scripts" / "test-stack.sh"), "jdbc"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert said.returncode == 0, said.stderr
    java, driver = said.stdout.splitlines()
    # Arrow reaches into buffers of the JDK. The driver logs each error before it throws it.
    flags = ["--add-opens=java.base/java.nio=ALL-UNNAMED"]
    flags += ["-Djava.util.logging.config.file=/dev/null"]
    return [java, *flags, "-cp", driver]


def rows(address: str, *statements: str, **properties) -> list[tuple[str, ...]]:
    """The rows of all statements, as text. Raises `JdbcError`."""
    lines = "".join(f"{name}={value}\n" for name, value in properties.items())
    done = subprocess.run(
        [*_java(), str(_PROGRAM), f"jdbc:arrow-flight-sql://{address}", *statements],
        input=lines,
        capture_output=True,
        text=True,
        timeout=180,
    )
    WATCH.says(done.stdout + done.stderr)
    if done.returncode != 0:
        raise JdbcError(done.stderr)
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]
