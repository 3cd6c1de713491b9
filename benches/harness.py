"""What the runners share: a release server over temporary data, repeated timing, one way to report."""

import contextlib
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "clients"))

import datasets  # noqa: E402, F401
import server as process  # noqa: E402

_target = os.environ.get("CARGO_TARGET_DIR") or process.cache_dir() / "target"
os.environ.setdefault("SQE_SERVER", str(pathlib.Path(_target) / "release" / "sqe-server"))


@contextlib.contextmanager
def fresh_server():
    """A running server over an empty data directory, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="sqe-bench-") as folder:
        with process.Server(folder) as running:
            yield running


def seconds(work) -> float:
    """How long `work()` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best_of(rounds: int, first, second) -> tuple[float, float]:
    """The shortest time of each of two pieces of work, run in turn so that both see the same machine."""
    times = ([], [])
    for number in range(rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for index in order:
            times[index].append(seconds((first, second)[index]))
    return min(times[0]), min(times[1])


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of `values` lie."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def report(name: str, value: float, unit: str, aim: float):
    """Prints a result beside what it shall be at most."""
    verdict = "reached" if value <= aim else "missed"
    print(f"{name}: {value:.2f}{unit} (aim {aim:g}{unit}, {verdict})")
