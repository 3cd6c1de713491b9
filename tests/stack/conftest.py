"""Fixtures: servers beside the test stack, one for each way to log in; the search for secrets."""

import pytest

import lake
from recorder import Recorder
from watch import WATCH


@pytest.fixture(scope="session", autouse=True)
def no_secret_is_told():
    """Fails the run if a secret stands in the log of any server or in an error."""
    yield
    told = WATCH.told()
    assert not told, "secrets were told:\n" + "\n".join(told[:20])


@pytest.fixture(scope="session")
def minimal(tmp_path_factory):
    """A server with the smallest configuration: principals of the catalog log in."""
    with lake.serve(tmp_path_factory.mktemp("minimal"), lake.MINIMAL) as server:
        yield server
        assert server.process.poll() is None, f"the server died:\n{server.log}"


@pytest.fixture(scope="session")
def oidc(tmp_path_factory):
    """A server whose users log in at the provider, by password or with a token.

    What it is answered there and in the catalog is recorded, so that its secrets are known.
    """
    with Recorder(lake.TOKEN_ENDPOINT) as tokens, Recorder(lake.ENV["CATALOG_URI"]) as catalog:
        config = lake.oidc_config(token_endpoint=tokens.uri, catalog=catalog.uri)
        with lake.serve(tmp_path_factory.mktemp("oidc"), config) as server:
            yield server
            assert server.process.poll() is None, f"the server died:\n{server.log}"
