"""TLS as clients see it: drivers of two languages, right and wrong authorities, both directions."""

import dataclasses
import pathlib

import pytest
from adbc_driver_flightsql import DatabaseOptions, OAuthFlowType

import jdbc
import lake
from certificates import Authority, Issued
from lake import ENV, AdbcStatusCode, Error, Namespace, User, root, token

ROWS = 1723
OAUTH = {
    DatabaseOptions.OAUTH_FLOW.value: OAuthFlowType.CLIENT_CREDENTIALS.value,
    DatabaseOptions.OAUTH_TOKEN_URI.value: lake.TOKEN_ENDPOINT,
    DatabaseOptions.OAUTH_CLIENT_ID.value: ENV["OIDC_CLIENT_ID"],
    DatabaseOptions.OAUTH_CLIENT_SECRET.value: ENV["OIDC_CLIENT_SECRET"],
}


@dataclasses.dataclass
class Pki:
    """An authority that server and clients trust, one that nobody trusts, and what they signed.

    A client shows no certificate that the server would not ask for, so that of the stranger is
    signed by an authority with the name of the right one.
    """

    good: Authority
    wrong: Authority
    server: Issued
    client: Issued
    stranger: Issued


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    (folder / "impostor").mkdir()
    impostor = Authority(folder / "impostor", "right authority")
    good, wrong = Authority(folder, "right authority"), Authority(folder, "wrong authority")
    issued = good.issue("server"), good.issue("client"), impostor.issue("stranger")
    return Pki(good, wrong, *issued)


def config(pki: Pki, more: str = "") -> str:
    files = f'[tls]\ncert = "{pki.server.cert}"\nkey = "{pki.server.key}"\n'
    return lake.oidc_config() + files + more


@pytest.fixture(scope="module")
def tls(tmp_path_factory, pki):
    with lake.serve(tmp_path_factory.mktemp("tls"), config(pki)) as server:
        yield server
        assert server.process.poll() is None, f"the server died:\n{server.log}"


@pytest.fixture(scope="module")
def mutual(tmp_path_factory, pki):
    """A server that wants to see certificates of its clients."""
    text = config(pki, f'client_ca = "{pki.good.cert}"\n')
    with lake.serve(tmp_path_factory.mktemp("mutual"), text) as server:
        yield server
        assert server.process.poll() is None, f"the server died:\n{server.log}"


@pytest.fixture(scope="module")
def table(minimal):
    """A table that all of analyst may read."""
    with Namespace("tls") as made, root(minimal) as service:
        name = f"{made.full}.t"
        service.rows(f"CREATE TABLE {name} AS SELECT value AS id FROM generate_series(1, {ROWS})")
        made.grant("analyst", "TABLE_READ_DATA", table="t")
        yield name


def adbc_options(ca: pathlib.Path, client: Issued | None = None) -> dict[str, str]:
    options = {DatabaseOptions.TLS_ROOT_CERTS.value: ca.read_text()}
    if client is not None:
        options[DatabaseOptions.MTLS_CERT_CHAIN.value] = client.cert.read_text()
        options[DatabaseOptions.MTLS_PRIVATE_KEY.value] = client.key.read_text()
    return options


def with_adbc(server, sql, ca, client=None):
    with User(server, "user_a", "user_a", options=adbc_options(ca, client)) as user:
        return [tuple(str(cell) for cell in row) for row in user.rows(sql)]


def with_jdbc(server, sql, ca, client=None, **login):
    login = login or {"user": "user_a", "password": "user_a"}
    if client is not None:
        login |= {"clientCertificate": client.cert, "clientKey": client.key}
    trust = {"useEncryption": "true", "useSystemTrustStore": "false", "tlsRootCerts": ca}
    return jdbc.rows(server.address(), sql, **login, **trust)


CLIENTS = {"adbc": with_adbc, "jdbc": with_jdbc}
ERRORS = (Error, jdbc.JdbcError)
SAYS_WHO_IS_NOT_TRUSTED = {
    "adbc": "certificate signed by unknown authority",
    "jdbc": "unable to find valid certification path",
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_trusts_the_authority_reads_a_table(tls, pki, table, client):
    sql = f"SELECT current_user AS u, count(*) AS n, sum(id) AS s FROM {table}"
    expected = [("user_a", str(ROWS), str(ROWS * (ROWS + 1) // 2))]
    assert CLIENTS[client](tls, sql, pki.good.cert) == expected


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_trusts_another_authority_tells_why_it_leaves(tls, pki, client):
    with pytest.raises(ERRORS) as raised:
        CLIENTS[client](tls, "SELECT 1", pki.wrong.cert)
    assert SAYS_WHO_IS_NOT_TRUSTED[client] in str(raised.value)
    # Nobody else is concerned.
    assert CLIENTS[client](tls, "SELECT 1 AS one", pki.good.cert) == [("1",)]


def test_jdbc_logs_in_with_a_token(tls, pki, table):
    login = {"token": token("user_ab")}
    rows = with_jdbc(tls, f"SELECT current_user, count(*) FROM {table}", pki.good.cert, **login)
    assert rows == [("user_ab", str(ROWS))]


def test_a_client_without_tls_gets_nothing(tls):
    with pytest.raises(Error) as raised:
        with User(tls, "user_a", "user_a") as user:
            user.rows("SELECT 1")
    assert raised.value.status_code == AdbcStatusCode.IO, raised.value
    with pytest.raises(jdbc.JdbcError, match="http2 exception"):
        login = {"user": "user_a", "password": "user_a", "useEncryption": "false"}
        jdbc.rows(tls.address(), "SELECT 1", **login)


def test_adbc_fetches_its_token_itself(tls, pki, table):
    with User(tls, options={**OAUTH, **adbc_options(pki.good.cert)}) as user:
        ((who, count),) = user.rows(f"SELECT current_user, count(*) FROM {table}")
        assert (who, count) == ("service-account-sqe", ROWS)
        # The same session all along: the token is the login.
        user.rows("SET datafusion.execution.batch_size = 4321")
        ((_, size),) = user.rows("SHOW datafusion.execution.batch_size")
        assert size == "4321"


def test_adbc_shows_its_token_to_no_server_it_does_not_trust(tls, pki):
    with User(tls, options={**OAUTH, **adbc_options(pki.wrong.cert)}) as user:
        error = user.error("SELECT 1")
    assert SAYS_WHO_IS_NOT_TRUSTED["adbc"] in str(error)
    assert ENV["OIDC_CLIENT_SECRET"] not in str(error)


def test_a_wrong_secret_of_the_client_ends_at_the_provider(tls, pki):
    wrong = {DatabaseOptions.OAUTH_CLIENT_SECRET.value: "wrong-secret"}
    with pytest.raises(Error) as raised:
        with User(tls, options={**OAUTH, **wrong, **adbc_options(pki.good.cert)}) as user:
            user.rows("SELECT 1")
    assert "unauthorized_client" in str(raised.value), raised.value


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_with_a_certificate_reads_a_table(mutual, pki, table, client):
    sql = f"SELECT count(*) AS n FROM {table}"
    assert CLIENTS[client](mutual, sql, pki.good.cert, pki.client) == [(str(ROWS),)]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("shown", "why"),
    [(None, "peer sent no certificates"), ("stranger", "invalid peer certificate")],
)
def test_a_client_without_one_of_the_right_authority_does_not_come_in(
    mutual, pki, client, shown, why
):
    before = mutual.log.count(why)
    with pytest.raises(ERRORS) as raised:
        CLIENTS[client](mutual, "SELECT 1", pki.good.cert, shown and getattr(pki, shown))
    # The alert that tells the reason may be lost, as the connection ends with it.
    assert "unavailable" in str(raised.value).lower()
    assert mutual.log.count(why) > before, "the server's log tells the reason"
