"""The 22 TPC-H queries: SQE's Iceberg tables over Flight against DataFusion over the same files.

DataFusion reads the very data files that SQE wrote, so that compression, row groups and their
number are equal and the ratio shows what Iceberg, sessions and the wire cost. Both run in turn in
one run; the best of ROUNDS counts. Answers are fetched whole, as Arrow.
"""

import argparse

import datafusion

from harness import best_of, datasets, fresh_server, report


def load(cursor, scale: str):
    """Creates the eight tables from Parquet files of the standard generator."""
    folder = datasets.tpch(scale)
    for table in datasets.TPCH_TABLES:
        cursor.execute(
            f"CREATE TABLE {table} AS SELECT * FROM read_parquet('{folder}/{table}.parquet')"
        )


def raw_engine(data_dir) -> datafusion.SessionContext:
    """DataFusion with the data files of each table."""
    context = datafusion.SessionContext()
    for table in datasets.TPCH_TABLES:
        (folder,) = {path.parent for path in data_dir.rglob("*.parquet") if path.parts[-3] == table}
        context.register_parquet(table, str(folder))
    return context


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scale", default="1")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--queries", type=int, nargs="*", default=range(1, 23))
    options = arguments.parse_args()

    with fresh_server() as server, server.connect() as connection, connection.cursor() as cursor:
        load(cursor, options.scale)
        context = raw_engine(server.data_dir)
        totals = [0.0, 0.0]
        print(f"{'query':>5} {'SQE':>10} {'DataFusion':>10} {'ratio':>6}")
        for number in options.queries:
            query = datasets.tpch_query(number)

            def over_flight():
                cursor.execute(query)
                return cursor.fetch_arrow_table()

            def in_process():
                return context.sql(query).to_arrow_table()

            assert over_flight().num_rows == in_process().num_rows
            ours, theirs = best_of(options.rounds, over_flight, in_process)
            totals[0] += ours
            totals[1] += theirs
            print(f"{number:>5} {ours * 1e3:>8.1f}ms {theirs * 1e3:>8.1f}ms {ours / theirs:>6.2f}")
        print(
            f"total {totals[0] * 1e3:>8.1f}ms {totals[1] * 1e3:>8.1f}ms {totals[0] / totals[1]:>6.2f}"
        )
        report("total against DataFusion", totals[0] / totals[1], "", 1.15)


if __name__ == "__main__":
    main()
