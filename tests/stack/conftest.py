"""Fixtures: servers beside the test stack, one for each way to log in."""

import pytest

import lake


@pytest.fixture(scope="session")
def minimal(tmp_path_factory):
    """A server with the smallest configuration: principals of the catalog log in."""
    with lake.serve(tmp_path_factory.mktemp("minimal"), lake.MINIMAL) as server:
        yield server
        assert server.process.poll() is None, f"the server died:\n{server.log}"


@pytest.fixture(scope="session")
def oidc(tmp_path_factory):
    """A server whose users log in at the provider, by password or with a token."""
    with lake.serve(tmp_path_factory.mktemp("oidc"), lake.oidc_config()) as server:
        yield server
        assert server.process.poll() is None, f"the server died:\n{server.log}"
