"""How long `SELECT 1` takes over one ADBC connection: prepare, execute, fetch, close."""

import argparse

from harness import fresh_server, quantile, report, seconds


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=5000)
    options = arguments.parse_args()

    with fresh_server() as server, server.connect() as connection:

        def once():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchall()

        for _ in range(200):
            once()
        times = [seconds(once) * 1e3 for _ in range(options.count)]
    print(
        f"SELECT 1, {options.count} times: p99 {quantile(times, 0.99):.2f} ms, worst {max(times):.2f} ms"
    )
    report("SELECT 1, p50", quantile(times, 0.5), " ms", 2)


if __name__ == "__main__":
    main()
