"""From process start to the first answer, and the memory of a server that waits."""

import argparse
import tempfile
import time

from harness import process, quantile, report


def start_once() -> tuple[float, int, int]:
    """Milliseconds to the first answer; bytes of memory before and two seconds after it."""
    with tempfile.TemporaryDirectory(prefix="sqe-bench-") as folder:
        start = time.perf_counter()
        with process.Server(folder) as server:
            before = server.resident_bytes()
            with server.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchall()
                elapsed = time.perf_counter() - start
            time.sleep(2)
            return elapsed * 1e3, before, server.resident_bytes()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=10)
    options = arguments.parse_args()

    times, before, after = zip(*(start_once() for _ in range(options.rounds)))
    print(f"memory before the first statement: {quantile(list(before), 0.5) / 1e6:.1f} MB")
    report("first answer, median", quantile(list(times), 0.5), " ms", 200)
    report("idle memory, median", quantile(list(after), 0.5) / 1e6, " MB", 60)


if __name__ == "__main__":
    main()
