"""How long `SELECT 1` takes over one ADBC connection, as a program and as a tool would ask.

A program keeps its cursor: prepare, execute, fetch, close of the statement before. A tool opens a
cursor for each statement, which costs the driver more than the statement costs the server.
"""

import argparse

from harness import fresh_server, quantile, report, seconds


def milliseconds(once, count: int) -> list[float]:
    """The time of each of `count` calls of `once`, after some that do not count."""
    for _ in range(200):
        once()
    return [seconds(once) * 1e3 for _ in range(count)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=5000)
    options = arguments.parse_args()

    with fresh_server() as server, server.connect() as connection:

        def select_one(cursor):
            cursor.execute("SELECT 1")
            cursor.fetchall()

        def with_a_new_cursor():
            with connection.cursor() as cursor:
                select_one(cursor)

        with connection.cursor() as cursor:
            kept = milliseconds(lambda: select_one(cursor), options.count)
        new = milliseconds(with_a_new_cursor, options.count)
    for name, times in (("one cursor", kept), ("a new cursor each", new)):
        print(f"SELECT 1, {name}: p99 {quantile(times, 0.99):.2f} ms, worst {max(times):.2f} ms")
        report(f"SELECT 1, {name}, p50", quantile(times, 0.5), " ms", 2)


if __name__ == "__main__":
    main()
