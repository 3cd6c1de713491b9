"""Input data from package registries, made once and kept in the cache."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from server import cache_dir

VEGA = "vega-datasets@3.2.1"
TPCH_TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]
QUERIES = pathlib.Path(__file__).parents[2] / "benches" / "tpch"


def tpch(scale: str) -> pathlib.Path:
    """A folder with one Parquet file for each TPC-H table."""
    generate = [str(pathlib.Path(sys.executable).parent / "tpchgen-cli"), "parquet", "-s", scale]
    return _made_once(
        f"tpch-{scale}", lambda folder: subprocess.run([*generate, "-o", folder], check=True)
    )


def tpch_query(number: int) -> str:
    """The text of a TPC-H query without its final semicolon."""
    return (QUERIES / f"q{number:02}.sql").read_text().strip().removesuffix(";")


def vega() -> pathlib.Path:
    """The folder of the data files of vega-datasets."""

    def fetch(folder):
        packed = ["npm", "pack", "--silent", VEGA, "--pack-destination", folder]
        subprocess.run(packed, check=True, stdout=subprocess.DEVNULL)
        (archive,) = pathlib.Path(folder).glob("*.tgz")
        shutil.unpack_archive(archive, folder)

    return _made_once("vega", fetch) / "package" / "data"


def _made_once(name: str, make) -> pathlib.Path:
    """The folder `name` of the cache, filled by `make(folder)` where it does not exist.

    It is made under another name and renamed, so that an interrupted run leaves none that is
    incomplete.
    """
    folder = cache_dir() / "data" / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as part:
            made = os.path.join(part, name)
            os.mkdir(made)
            make(made)
            os.rename(made, folder)
    return folder
