"""Logins by password and by token: what is let in, for how long, and what is refused."""

import base64
import hashlib
import hmac
import json
import time

import pytest

import issuer
import lake
from lake import ENV, AdbcStatusCode, Error, User, login_error, oidc_token, token

UNAUTHENTICATED = AdbcStatusCode.UNAUTHENTICATED
WHO = "SELECT current_user AS u"
ASKS_THE_CATALOG = f"SELECT count(*) AS n FROM {lake.WAREHOUSE}.test_ns.table_a"


@pytest.fixture(scope="module")
def signer():
    with issuer.Signer().published() as made:
        yield made


@pytest.fixture(scope="module")
def no_catalog(tmp_path_factory, signer):
    """A server whose catalog does not answer: what it refuses by itself, it refuses before."""
    config = lake.oidc_config(catalog="http://127.0.0.1:1/api/catalog")
    with lake.serve(tmp_path_factory.mktemp("no_catalog"), config) as server:
        yield server


def test_a_token_lets_in_as_its_user(oidc):
    for name in ("user_a", "user_ab"):
        with User(oidc, bearer=token(name)) as user:
            assert user.rows(WHO) == [(name,)]
            assert len(user.rows(ASKS_THE_CATALOG)) == 1


def test_a_password_lets_in_as_its_user(oidc):
    for name in ("user_a", "user_ab"):
        with User(oidc, name, name) as user:
            assert user.rows(WHO) == [(name,)]
            assert len(user.rows(ASKS_THE_CATALOG)) == 1


def test_tools_that_know_passwords_only_give_a_token_as_one(oidc, no_catalog, signer):
    with User(oidc, "token", token("user_a")) as user:
        assert user.rows(WHO) == [("user_a",)]
        assert len(user.rows(ASKS_THE_CATALOG)) == 1
    for password in (signer.sign(exp=int(time.time()) - 120), "not.a.token", "no token", ""):
        error = login_error(no_catalog, name="token", password=password)
        assert error.status_code == UNAUTHENTICATED, error


def test_a_token_that_the_tests_sign_is_right_but_for_what_they_change(no_catalog, signer):
    with User(no_catalog, bearer=signer.sign()) as user:
        assert user.rows(WHO) == [("user_ab",)]
        assert user.error(ASKS_THE_CATALOG).status_code == AdbcStatusCode.IO


def unsigned(signer):
    """`alg` is `none`, once with the signature left out, once with that of another token."""
    head, body, signature = signer.sign().split(".")
    for alg in ("none", "None", "NONE"):
        none = encoded({"alg": alg, "typ": "JWT", "kid": signer.kid})
        yield f"{none}.{body}."
        yield f"{none}.{body}.{signature}"
    yield f"{head}.{body}."


def encoded(part: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def symmetric(signer):
    """Signed with what everybody knows, the public key, as if it were a shared secret."""

    body = signer.sign().split(".")[1]
    for alg, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        text = f"{encoded({'alg': alg, 'typ': 'JWT', 'kid': signer.kid})}.{body}"
        for secret in (signer.public_pem, b""):
            mac = hmac.new(secret, text.encode(), digest).digest()
            yield f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def changed(signer):
    """The claims of one token with the signature of another."""
    head, _, signature = signer.sign().split(".")
    yield f"{head}.{signer.sign(preferred_username='root').split('.')[1]}.{signature}"


def other_keys(signer):
    other = issuer.Signer()
    yield signer.sign(key=other.key)
    yield signer.sign(key=other.key, headers={"kid": "nobody-has-this-key"})
    yield signer.sign(key=other.key, headers={"jwk": other.jwk})
    keys = issuer.published_keys().items()
    provider = next(kid for kid, key in keys if key["use"] == "sig" and kid != signer.kid)
    yield signer.sign(headers={"kid": provider})


NOW = int(time.time())
FORGED = {
    "expired": lambda signer: [signer.sign(exp=NOW - 120, iat=NOW - 420)],
    "without an end": lambda signer: [signer.sign(exp=None)],
    "not yet valid": lambda signer: [signer.sign(nbf=NOW + 3600, exp=NOW + 7200)],
    "wrong key": other_keys,
    "unsigned": unsigned,
    "symmetric": symmetric,
    "changed": changed,
    "wrong audience": lambda signer: [signer.sign(aud=aud) for aud in ("other", ["a", "b"], None)],
    "audience of admin-cli": lambda _: [token("user_a", realm_client="admin-cli")],
    "wrong issuer": lambda signer: [
        signer.sign(iss=iss) for iss in ("http://evil", ENV["OIDC_ISSUER"] + "/", None)
    ],
    "no access token": lambda _: other_tokens(),
    "realm master": lambda _: [master_token()],
    "no user": lambda signer: [signer.sign(preferred_username=None, sub=None)],
    "no token": lambda _: ["garbage", "a.b.c", "...", "x" * 30_000],
}


def other_tokens():
    """What the provider gives besides the access token, which says who a user is, too."""
    answer = oidc_token(username="user_a", password="user_a", scope="openid").json
    yield answer["id_token"]
    yield answer["refresh_token"]


def master_token() -> str:
    """A token of the same provider, but of its other realm."""
    base = ENV["OIDC_ISSUER"].partition("/realms/")[0]
    fields = lake.form(
        grant_type="password",
        client_id="admin-cli",
        username=ENV["OIDC_ADMIN_USER"],
        password=ENV["OIDC_ADMIN_PASSWORD"],
    )
    answer = lake.send("POST", f"{base}/realms/master/protocol/openid-connect/token", fields)
    return answer.json["access_token"]


@pytest.mark.parametrize("kind", FORGED)
def test_a_token_that_is_not_right_is_refused_before_the_catalog_is_asked(no_catalog, signer, kind):
    # With a right token the catalog would be asked, and the error be another.
    for bad in FORGED[kind](signer):
        for sql in (WHO, ASKS_THE_CATALOG):
            error = login_error(no_catalog, sql, bearer=bad)
            assert error.status_code == UNAUTHENTICATED, f"{bad}: {error}"
            assert bad not in str(error)


def test_a_wrong_password_is_refused(oidc, minimal):
    for server, name in ((oidc, "user_a"), (oidc, "nobody"), (minimal, "root"), (minimal, "x")):
        for password in ("wrong", ""):
            error = login_error(server, name=name, password=password)
            assert error.status_code == UNAUTHENTICATED, error
            assert "user name or the password is wrong" in str(error)


def test_no_login_is_no_anonymous_user(oidc):
    with oidc.connect(user=None) as connection, connection.cursor() as cursor:
        with pytest.raises(Error) as raised:
            cursor.execute("SELECT 1")
        assert raised.value.status_code == UNAUTHENTICATED


def test_too_many_wrong_passwords_are_too_many(tmp_path):
    config = lake.oidc_config(more="failures_per_minute = 3")
    with lake.serve(tmp_path, config) as server:
        for _ in range(3):
            error = login_error(server, name="user_a", password="wrong")
            assert error.status_code == UNAUTHENTICATED, error
        # The right password does not help any more, but others are not locked out.
        for password in ("wrong", "user_a"):
            error = login_error(server, name="user_a", password=password)
            assert "ResourceExhausted" in str(error), error
        with User(server, "user_ab", "user_ab") as other:
            assert other.rows(WHO) == [("user_ab",)]


def test_wrong_tokens_as_passwords_lock_nobody_out(tmp_path, signer):
    # All who log in by a token have the same name.
    config = lake.oidc_config(more="failures_per_minute = 3")
    with lake.serve(tmp_path, config) as server:
        expired = signer.sign(exp=int(time.time()) - 120)
        for _ in range(4):
            login_error(server, name="token", password=expired)
        with User(server, "token", signer.sign()) as user:
            assert user.rows(WHO) == [("user_ab",)]


def test_the_user_is_who_the_provider_says(oidc):
    # Keycloak takes names in any case.
    with User(oidc, "USER_A", "user_a") as user:
        assert user.rows(WHO) == [("user_a",)]


def test_who_only_takes_tokens_takes_nothing_else(tmp_path, signer):
    auth = f'[auth]\nissuer = "{ENV["OIDC_ISSUER"]}"\naudience = "catalog"\n'
    with lake.serve(tmp_path, auth + lake.catalog_section()) as server:
        for credentials in ({"name": "user_a", "password": "user_a"}, {"name": "", "password": ""}):
            error = login_error(server, **credentials)
            assert error.status_code == UNAUTHENTICATED, error
        with User(server, bearer=signer.sign()) as user:
            assert len(user.rows(ASKS_THE_CATALOG)) == 1


def test_new_keys_of_the_provider_need_no_restart(oidc):
    with User(oidc, bearer=token("user_a")) as user:
        assert user.rows(WHO) == [("user_a",)]
    with issuer.key_provider("rsa-generated", priority=1000):
        rotated = token("user_a")
        # The keys of the provider are not read again at once, if they were just now.
        deadline = time.monotonic() + 30
        while True:
            try:
                with User(oidc, bearer=rotated) as user:
                    assert user.rows(WHO) == [("user_a",)]
                break
            except Error as error:
                assert error.status_code == UNAUTHENTICATED, error
                assert time.monotonic() < deadline, error
                time.sleep(1)
    with User(oidc, bearer=token("user_a")) as user:
        assert user.rows(WHO) == [("user_a",)]


def test_a_session_by_password_outlasts_two_tokens(tmp_path):
    config = lake.oidc_config(client=ENV["OIDC_SHORT_CLIENT_ID"])
    with lake.serve(tmp_path, config) as server, User(server, "user_a", "user_a") as user:
        user.rows("SET datafusion.execution.batch_size = 4321")
        end = time.monotonic() + 150
        while time.monotonic() < end:
            assert len(user.rows(ASKS_THE_CATALOG)) == 1
            time.sleep(10)
        # It is still the same session.
        ((_, size),) = user.rows("SHOW datafusion.execution.batch_size")
        assert size == "4321"


def test_a_session_by_token_ends_with_the_token(oidc, signer):
    # Clocks may differ by half a minute.
    short = signer.sign(exp=int(time.time()) - 27)
    with User(oidc, bearer=short) as user, User(oidc, "token", short) as basic:
        for session in (user, basic):
            assert session.rows(WHO) == [("user_ab",)]
        time.sleep(5)
        for session in (user, basic):
            for sql in (ASKS_THE_CATALOG, WHO):
                assert session.error(sql).status_code == UNAUTHENTICATED, sql


def test_a_token_that_is_revoked_is_refused(tmp_path):
    # The provider tells about a token to a client that is in its audience.
    client = {"clientId": "catalog", "secret": "asks", "serviceAccountsEnabled": True}
    made = issuer.admin("POST", "clients", client).headers["Location"]
    config = f"""
[auth]
issuer = "{ENV["OIDC_ISSUER"]}"
audience = "catalog"
introspect = true
client_id = "catalog"
client_secret = "asks"
{lake.catalog_section()}"""
    try:
        with lake.serve(tmp_path, config) as server:
            revoked = token("user_a")
            with User(server, bearer=revoked) as user:
                assert user.rows(WHO) == [("user_a",)]
            fields = lake.form(
                token=revoked,
                client_id=ENV["OIDC_CLIENT_ID"],
                client_secret=ENV["OIDC_CLIENT_SECRET"],
            )
            uri = f"{ENV['OIDC_ISSUER']}/protocol/openid-connect/revoke"
            assert lake.send("POST", uri, fields).status == 200
            assert login_error(server, bearer=revoked).status_code == UNAUTHENTICATED
            with User(server, bearer=token("user_a")) as user:
                assert user.rows(WHO) == [("user_a",)]
    finally:
        issuer.admin("DELETE", f"clients/{made.rpartition('/')[2]}")


def test_a_session_ends_with_that_of_the_provider(tmp_path):
    config = lake.oidc_config(client=ENV["OIDC_SHORT_CLIENT_ID"])
    with (
        issuer.new_user("analyst", "service") as (name, password),
        lake.serve(tmp_path, config) as server,
    ):
        with User(server, name, password) as user:
            assert len(user.rows(ASKS_THE_CATALOG)) == 1
            issuer.end_sessions(name)
            time.sleep(65)
            assert user.error(ASKS_THE_CATALOG).status_code == UNAUTHENTICATED
