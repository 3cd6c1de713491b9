"""Files on S3 that are no tables: read with the operator's keys, below the operator's prefixes only."""

import io
import json
import re
import subprocess
import uuid

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import lake
from lake import ENV, WAREHOUSE, AdbcStatusCode, Namespace, Store, User, root
from watch import WATCH

DENIED = AdbcStatusCode.UNAUTHORIZED
TABLE = pa.table({"id": [1, 2, 3], "v": ["a", "b", None]})
ROWS = [(1, "a"), (2, "b"), (3, None)]


def keys_below(bucket: str, folder: str) -> dict[str, str]:
    """Keys that the store limits to reading what is below a folder, as settings of the server."""
    below = {"StringLike": {"s3:prefix": [f"{folder}/*"]}}
    statements = [
        {"Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{bucket}/{folder}/*"]},
        {"Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{bucket}"], "Condition": below},
    ]
    statements = [{"Effect": "Allow", **statement} for statement in statements]
    form = lake.form(
        Action="AssumeRole",
        Version="2011-06-15",
        DurationSeconds="3600",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    answer = subprocess.run(
        ["curl", "-sS", "--config", "-", "--data", form, ENV["S3_ENDPOINT"]],
        input=f'user = "{ENV["S3_ROOT_KEY"]}:{ENV["S3_ROOT_SECRET"]}"\n'
        f'aws-sigv4 = "aws:amz:{ENV["S3_REGION"]}:sts"\n',
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    parts = {
        "S3_ACCESS_KEY": "AccessKeyId",
        "S3_SECRET_KEY": "SecretAccessKey",
        "S3_SESSION_TOKEN": "SessionToken",
    }
    found = {key: re.search(f"<{part}>([^<]+)<", answer) for key, part in parts.items()}
    return {f"SQE__STORAGE__{key}": WATCH.secret(match[1]) for key, match in found.items()}


def file(write) -> bytes:
    sink = io.BytesIO()
    write(TABLE, sink)
    return sink.getvalue()


FILES = {
    "a.parquet": file(pa.parquet.write_table),
    "a.csv": file(pa.csv.write_csv),
    "a.json": "".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()).encode(),
}
FUNCTIONS = {name: f"read_{name.partition('.')[2]}" for name in FILES}


@pytest.fixture(scope="module")
def folder():
    """A folder with files, beside one whose name only begins so, and one of another name."""
    store = Store(ENV["S3_ENDPOINT"], ENV["S3_REGION"], ENV["S3_ROOT_KEY"], ENV["S3_ROOT_SECRET"])
    name = f"files_{uuid.uuid4().hex[:8]}"
    paths = [f"s3://{ENV['S3_BUCKET']}/{name}{end}" for end in ("", "_more")]
    for path in paths:
        for file_name, body in FILES.items():
            assert store.put(f"{path}/{file_name}", body).status == 200
    yield name
    for path in paths:
        for file_name in FILES:
            store.delete(f"{path}/{file_name}")


@pytest.fixture(scope="module")
def keys(folder):
    return keys_below(ENV["S3_BUCKET"], folder)


def config(*prefixes: str) -> str:
    return lake.oidc_config() + f"[table_functions]\nallowed_prefixes = {json.dumps(prefixes)}\n"


@pytest.fixture(scope="module")
def user(tmp_path_factory, folder, keys):
    text = config(f"s3://{ENV['S3_BUCKET']}/{folder}")
    with lake.serve(tmp_path_factory.mktemp("files"), text, **keys) as server:
        with User(server, "user_a", "user_a") as opened:
            yield opened


@pytest.mark.parametrize("name", FILES)
def test_files_below_the_prefix_are_read(user, folder, name):
    for path in (name, name.replace("a.", "*.")):
        path = f"s3://{ENV['S3_BUCKET']}/{folder}/{path}"
        sql = f"SELECT id, NULLIF(v, '') FROM {FUNCTIONS[name]}('{path}') ORDER BY id"
        assert user.rows(sql) == ROWS


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("path", ["{0}_more", "{0}/../{0}_more", "{0}/%2E%2E/{0}_more", "", "*"])
def test_files_outside_the_prefix_are_not(user, folder, name, path):
    path = f"s3://{ENV['S3_BUCKET']}/{path.format(folder)}/{name}"
    error = user.error(f"SELECT * FROM {FUNCTIONS[name]}('{path}')")
    assert error.status_code == DENIED and "allowed_prefixes" in str(error), error


@pytest.mark.parametrize("name", FILES)
def test_the_store_has_the_last_word(tmp_path, folder, keys, name):
    with lake.serve(tmp_path, config(f"s3://{ENV['S3_BUCKET']}"), **keys) as server:
        with User(server, "user_a", "user_a") as user:
            inside = f"s3://{ENV['S3_BUCKET']}/{folder}/{name}"
            assert len(user.rows(f"SELECT * FROM {FUNCTIONS[name]}('{inside}')")) == 3
            outside = inside.replace(folder, f"{folder}_more")
            error = user.error(f"SELECT * FROM {FUNCTIONS[name]}('{outside}')")
            assert error.status_code == DENIED, error
            assert not any(secret in str(error) for secret in keys.values())


def test_the_keys_of_files_open_no_table(user):
    assert len(user.rows(f"SELECT count(*) FROM {WAREHOUSE}.test_ns.table_a")) == 1
    denied = user.error(f"SELECT count(*) FROM {WAREHOUSE}.test_ns.table_b")
    assert denied.status_code == DENIED


def test_keys_of_the_operator_are_not_used_where_the_catalog_vends_some(tmp_path, minimal):
    # With these keys, which may do everything, the rows would be written and only the commit refused.
    keys = {"S3_ACCESS_KEY": ENV["S3_ROOT_KEY"], "S3_SECRET_KEY": ENV["S3_ROOT_SECRET"]}
    keys = {f"SQE__STORAGE__{name}": value for name, value in keys.items()}
    with Namespace("operator") as made, root(minimal) as service:
        service.rows(f"CREATE TABLE {made.full}.t AS SELECT 1 AS id")
        made.grant("analyst", "TABLE_READ_DATA", table="t")
        with lake.serve(tmp_path, lake.oidc_config(), **keys) as server:
            with User(server, "user_a", "user_a") as user:
                assert user.rows(f"SELECT id FROM {made.full}.t") == [(1,)]
                error = user.error(f"INSERT INTO {made.full}.t VALUES (2)")
                assert error.status_code == DENIED and "the store answered 403" in str(error), error


def test_without_keys_the_error_says_so(tmp_path, folder):
    with lake.serve(tmp_path, config(f"s3://{ENV['S3_BUCKET']}")) as server:
        with User(server, "user_a", "user_a") as user:
            path = f"s3://{ENV['S3_BUCKET']}/{folder}/a.csv"
            error = user.error(f"SELECT * FROM read_csv('{path}')")
            assert "s3_access_key" in str(error) and "[storage]" in str(error), error
