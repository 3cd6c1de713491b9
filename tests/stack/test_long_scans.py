"""A scan that outlasts the token of its user and the keys of the store."""

import contextlib
import time
import uuid

import pytest

import issuer
import lake
from lake import ENV, User, manage
from recorder import Recorder

TOKEN_LIFE = 60
"""Of the provider's client for short tokens, in seconds."""


@contextlib.contextmanager
def warehouse_with_short_keys():
    """The name of a warehouse whose keys are told to last a minute, for the role `service`."""
    name = f"long_{uuid.uuid4().hex[:8]}"
    location = f"s3://{ENV['S3_BUCKET']}/{name}"
    storage = {
        "storageType": "S3",
        "allowedLocations": [location],
        "endpoint": ENV["S3_ENDPOINT"],
        "region": ENV["S3_REGION"],
        "pathStyleAccess": True,
    }
    properties = {"default-base-location": location, "sqe.test.credential-life": "60"}
    catalog = {"name": name, "type": "INTERNAL", "properties": properties}
    manage("POST", "/catalogs", {"catalog": {**catalog, "storageConfigInfo": storage}})
    try:
        grant = {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}
        manage("PUT", f"/catalogs/{name}/catalog-roles/catalog_admin/grants", {"grant": grant})
        role = {"catalogRole": {"name": "catalog_admin"}}
        manage("PUT", f"/principal-roles/service/catalog-roles/{name}", role)
        yield name
    finally:
        manage("DELETE", f"/catalogs/{name}")


@pytest.fixture
def watched(tmp_path):
    """A user's connection to a server with short tokens and keys, its catalog's name, and what passes."""
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(warehouse_with_short_keys())
        catalog = stack.enter_context(Recorder(ENV["CATALOG_URI"]))
        config = lake.oidc_config(
            client=ENV["OIDC_SHORT_CLIENT_ID"], catalog=catalog.uri, warehouse=name
        )
        server = stack.enter_context(lake.serve(tmp_path, config))
        login = stack.enter_context(issuer.new_user("service"))
        yield stack.enter_context(User(server, *login)), name, catalog


def test_a_scan_outlasts_tokens_and_keys(watched):
    user, name, catalog = watched
    user.rows(f"CREATE SCHEMA {name}.s")
    user.rows(f"CREATE TABLE {name}.s.t AS SELECT * FROM tpch.sf0_1.lineitem")
    for _ in range(2):
        user.rows(f"INSERT INTO {name}.s.t SELECT * FROM {name}.s.t")
    ((rows, total),) = user.rows(f"SELECT count(*), sum(l_orderkey) FROM {name}.s.t")
    try:
        with user.connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {name}.s.t")
            reader = cursor.fetch_record_batch()
            first = reader.read_next_batch()
            keys, tokens = (
                set(catalog.secrets[kind]) for kind in ("s3.session-token", "access_token")
            )
            # A reader that pauses makes the scan pause, too.
            time.sleep(2 * TOKEN_LIFE + 5)
            batches = [first, *reader]
        assert sum(batch.num_rows for batch in batches) == rows
        column = first.schema.get_field_index("l_orderkey")
        assert sum(sum(batch.column(column).to_pylist()) for batch in batches) == total
        assert catalog.secrets["s3.session-token"] - keys, "the keys were renewed"
        assert catalog.secrets["access_token"] - tokens, "the token was renewed"
    finally:
        user.rows(f"DROP TABLE {name}.s.t")
        user.rows(f"DROP SCHEMA {name}.s")
