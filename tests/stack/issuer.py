"""The identity provider from its administrator's side: keys that it signs with, users."""

import contextlib
import json
import time
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from lake import ENV, form, manage, send
from watch import WATCH

ISSUER = ENV["OIDC_ISSUER"]
_BASE, _, _REALM = ISSUER.partition("/realms/")


def admin(method: str, path: str, body: dict | list | None = None):
    """A request to the administration of the realm, which must succeed."""
    fields = form(
        grant_type="password",
        client_id="admin-cli",
        username=ENV["OIDC_ADMIN_USER"],
        password=ENV["OIDC_ADMIN_PASSWORD"],
    )
    granted = send("POST", f"{_BASE}/realms/master/protocol/openid-connect/token", fields)
    url = f"{_BASE}/admin/realms/{_REALM}/{path}"
    sent = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    answer = send(method, url, sent, headers, granted.json["access_token"])
    assert answer.status // 100 == 2, (method, path, answer.status, answer.body)
    return answer


def published_keys() -> dict[str, dict]:
    """The keys that the provider publishes, by id."""
    keys = send("GET", f"{ISSUER}/protocol/openid-connect/certs").json["keys"]
    return {key["kid"]: key for key in keys}


@contextlib.contextmanager
def key_provider(kind: str, priority: int, **config: str):
    """A key of the realm more; the one with the highest priority signs new tokens."""
    settings = {
        "priority": str(priority),
        "algorithm": "RS256",
        "enabled": "true",
        "active": "true",
    }
    component = {
        "name": f"test-{uuid.uuid4().hex[:8]}",
        "providerId": kind,
        "providerType": "org.keycloak.keys.KeyProvider",
        "config": {name: [value] for name, value in (settings | config).items()},
    }
    location = admin("POST", "components", component).headers["Location"]
    try:
        yield
    finally:
        admin("DELETE", f"components/{location.rpartition('/')[2]}")


class Signer:
    """A key that the provider publishes but does not sign with, and that the tests have too.

    With it a test makes tokens that are right but for one thing.
    """

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = None

    @contextlib.contextmanager
    def published(self):
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with key_provider("rsa", priority=1, privateKey=pem.decode()):
            keys = published_keys().items()
            (self.kid,) = [kid for kid, key in keys if key.get("n") == self.jwk["n"]]
            yield self

    @property
    def jwk(self) -> dict:
        return json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, key=None, algorithm="RS256", headers=None, **changes) -> str:
        """A token of user_ab as the provider would make it, with changed claims; `None` removes."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "catalog",
            "sub": "11111111-1111-4111-8111-111111111111",
            "preferred_username": "user_ab",
            "principal": "user_ab",
            "principal_roles": ["analyst", "engineer"],
            "typ": "Bearer",
            "iat": now,
            "exp": now + 300,
        }
        claims = {n: value for n, value in (claims | changes).items() if value is not None}
        headers = {"kid": self.kid, **(headers or {})}
        key = self.key if key is None else key
        return WATCH.secret(jwt.encode(claims, key, algorithm, headers))


def end_sessions(user: str):
    """Logs a user out everywhere."""
    (found,) = admin("GET", f"users?exact=true&username={user}").json
    admin("POST", f"users/{found['id']}/logout")


@contextlib.contextmanager
def new_user(*roles: str):
    """A user of the provider and the catalog, with a password that stands nowhere else."""
    name, password = f"test-{uuid.uuid4().hex[:8]}", WATCH.secret(f"pw-{uuid.uuid4().hex}")
    user = {
        "username": name,
        "enabled": True,
        "firstName": "Test",
        "lastName": "Test",
        "email": f"{name}@example.com",
        "emailVerified": True,
        "credentials": [{"type": "password", "value": password, "temporary": False}],
    }
    with contextlib.ExitStack() as undo:
        where = admin("POST", "users", user).headers["Location"]
        path = "users/" + where.rpartition("/")[2]
        undo.callback(admin, "DELETE", path)
        found = [admin("GET", f"roles/{role}").json for role in roles]
        admin("POST", f"{path}/role-mappings/realm", found)
        manage("POST", "/principals", {"principal": {"name": name}})
        undo.callback(manage, "DELETE", f"/principals/{name}")
        for role in roles:
            manage("PUT", f"/principals/{name}/principal-roles", {"principalRole": {"name": role}})
        yield name, password
