"""CREATE TABLE AS of lineitem against DataFusion's COPY of the same file to Parquet.

Both read the generator's Parquet file and write zstd at the level of Iceberg's default. COPY
writes files alone; CTAS also writes column statistics, manifests, metadata, and commits.
"""

import argparse
import itertools
import pathlib
import shutil
import tempfile

import datafusion

from harness import best_of, datasets, fresh_server, report


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scale", default="1")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()

    source = datasets.tpch(options.scale) / "lineitem.parquet"
    context = datafusion.SessionContext()
    context.register_parquet("lineitem", str(source))
    numbers = itertools.count()
    with (
        tempfile.TemporaryDirectory(prefix="sqe-bench-") as folder,
        fresh_server() as server,
        server.connect() as connection,
        connection.cursor() as cursor,
    ):

        def ctas():
            name = f"lineitem{next(numbers)}"
            cursor.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{source}')")

        def copy():
            target = pathlib.Path(folder, f"copy{next(numbers)}")
            context.sql(
                f"COPY (SELECT * FROM lineitem) TO '{target}/' STORED AS PARQUET"
                " OPTIONS ('format.compression' 'zstd(3)')"
            ).collect()
            shutil.rmtree(target)

        ours, theirs = best_of(options.rounds, ctas, copy)
    print(f"CTAS {ours:.2f}s, COPY {theirs:.2f}s")
    report("CTAS against COPY", ours / theirs, "", 1.2)


if __name__ == "__main__":
    main()
