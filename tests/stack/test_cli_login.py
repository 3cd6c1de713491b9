"""`sqe-cli --login` against a server and Keycloak: a script approves the code as a person would.

`SQE_SERVER_ADDRESS` (host:port, or https://host:port) is a running server whose issuer is that of
`SQE_TEST_OIDC_ISSUER`; without it the tests start one. The rest of the environment is that of
testing/env.
"""

import contextlib
import json
import os
import pathlib
import queue
import re
import stat
import subprocess
import sys
import threading
import time

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT / "tests" / "clients"), str(_ROOT / "testing")]

from approve_device import Browser, approve, submit  # noqa: E402
from http_client import form, send  # noqa: E402
from server import Server, binary, wait_until  # noqa: E402
from test_cli import Terminal  # noqa: E402
from watch import WATCH  # noqa: E402

ISSUER = os.environ["SQE_TEST_OIDC_ISSUER"]
TOKEN_ENDPOINT = f"{ISSUER}/protocol/openid-connect/token"
WAREHOUSE = os.environ["SQE_TEST_WAREHOUSE"]

CONFIGURATION = f"""
[auth]
issuer = "{ISSUER}"
audience = "catalog"
login_client_id = "{os.environ["SQE_TEST_OIDC_CLI_CLIENT_ID"]}"
[catalog]
polaris_url = "{os.environ["SQE_TEST_CATALOG_URI"]}"
warehouse = "{WAREHOUSE}"
[storage]
s3_endpoint = "{os.environ["SQE_TEST_S3_ENDPOINT"]}"
s3_region = "{os.environ["SQE_TEST_S3_REGION"]}"
s3_path_style = true
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Flags that name the server."""
    given = os.environ.get("SQE_SERVER_ADDRESS")
    with contextlib.ExitStack() as stack:
        if given is None:
            home = tmp_path_factory.mktemp("server")
            (home / "sqe.toml").write_text(CONFIGURATION)
            debug = {"SQE__SERVER__LOG_LEVEL": "debug"}
            started = Server(home / "data", "--config", str(home / "sqe.toml"), env=debug)
            given = stack.enter_context(WATCH.server(started)).address()
        host, _, port = given.rpartition("://")[2].rpartition(":")
        tls = ["--tls"] if given.startswith("https://") else []
        yield ["--host", host.strip("[]"), "--port", port, *tls]


class User:
    """A person with a home of their own, at a shell."""

    def __init__(self, home: pathlib.Path, address):
        self.command = [binary("sqe-cli"), *address]
        self.file = home / "sqe" / "cli_logins.json"
        unset = ("SQE_PASSWORD", "SQE_TOKEN")
        self.env = {name: value for name, value in os.environ.items() if name not in unset}
        self.env["XDG_STATE_HOME"] = str(home)

    def run(self, *arguments, **env):
        done = subprocess.run(
            [*self.command, *arguments],
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        WATCH.says(done.stdout + done.stderr)
        for secret in self.secrets() + [WATCH.secret(value) for value in env.values()]:
            assert secret not in done.stdout + done.stderr
        return done

    def rows(self, sql, **env):
        """The lines of the one result of `sql`, without its header."""
        done = self.run("--format", "csv", "-e", sql, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[1:]

    def log_in(self, answer):
        """Runs `--login`; `answer` gets the address to open. Returns exit code and stderr."""
        process = subprocess.Popen(
            [*self.command, "--login"],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = queue.Queue()

        def read():
            for line in process.stderr:
                lines.put(line)
            lines.put("")

        threading.Thread(target=read, daemon=True).start()
        try:
            seen, uri = "", None
            while uri is None:
                line = lines.get(timeout=60)
                assert line, f"no address to open:\n{seen}"
                seen += line
                uri = re.search(r"https?://\S+user_code=\S+", line)
            answer(uri[0])
            while line := lines.get(timeout=60):
                seen += line
            return process.wait(60), seen
        finally:
            process.kill()

    @property
    def login(self):
        """The one login that is kept."""
        (login,) = json.loads(self.file.read_text()).values()
        return login

    def change(self, **fields):
        """Changes the login that is kept."""
        ((server, login),) = json.loads(self.file.read_text()).items()
        self.file.write_text(json.dumps({server: {**login, **fields}}))

    def secrets(self):
        if not self.file.exists():
            return []
        logins = json.loads(self.file.read_text()).values()
        names = ("access_token", "refresh_token")
        return [WATCH.secret(login[name]) for login in logins for name in names]


@pytest.fixture
def user(tmp_path, address):
    return User(tmp_path, address)


@pytest.fixture
def logged_in(user):
    """`user` after a login as user_a."""
    code, seen = user.log_in(lambda uri: approve(uri, "user_a", "user_a"))
    assert code == 0, seen
    assert not any(secret in seen for secret in user.secrets())
    yield user
    user.run("--logout")


def count(table):
    return f'SELECT count(*) AS n FROM "{WAREHOUSE}".test_ns.{table}'


def test_the_catalog_sees_who_logged_in(logged_in):
    assert logged_in.rows(count("table_a"))[0].isdigit()
    denied = logged_in.run("-e", count("table_b"))
    assert denied.returncode == 3 and "user_a" in denied.stderr


def test_only_the_user_can_read_the_tokens(logged_in):
    assert stat.S_IMODE(logged_in.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(logged_in.file.parent.stat().st_mode) == 0o700
    logged_in.file.chmod(0o644)
    refused = logged_in.run("-e", "SELECT 1")
    assert refused.returncode == 2 and "chmod 600" in refused.stderr
    logged_in.file.chmod(0o600)


def test_a_token_that_ends_is_refreshed_without_a_question(logged_in):
    before = logged_in.login
    logged_in.change(expires_at=int(time.time()))
    assert logged_in.rows(count("table_a"))[0].isdigit()
    after = logged_in.login
    assert after["access_token"] != before["access_token"]
    assert after["expires_at"] > time.time() + 60
    logged_in.rows(count("table_a"))
    assert logged_in.login == after


def test_a_session_at_the_prompt_outlasts_a_token(logged_in, monkeypatch):
    # A client refreshes half a minute before the end.
    logged_in.change(expires_at=int(time.time()) + 35)
    before = logged_in.login["access_token"]
    monkeypatch.setenv("XDG_STATE_HOME", logged_in.env["XDG_STATE_HOME"])
    monkeypatch.delenv("SQE_TOKEN", raising=False)
    terminal = Terminal(logged_in.command)
    terminal.expect(r"> ?$")
    terminal.send("SELECT 40 + 2 AS first;\r")
    terminal.expect(r"first\s+-+\s+42\s+\(1 row\)")

    def refreshed():
        terminal.send(f"{count('table_a')};\r")
        terminal.expect(r"\(1 row\)")
        return logged_in.login["access_token"] != before

    wait_until(refreshed, what="a new token")
    terminal.send("\\q\r")
    assert terminal.wait() == 0


def test_a_logout_revokes_the_tokens(user):
    code, seen = user.log_in(lambda uri: approve(uri, "user_ab", "user_ab"))
    assert code == 0, seen
    login = user.login
    done = user.run("--logout")
    assert done.returncode == 0 and "WARNING" not in done.stderr
    assert json.loads(user.file.read_text()) == {}
    body = form(
        grant_type="refresh_token",
        refresh_token=login["refresh_token"],
        client_id=login["client_id"],
    )
    refused = send("POST", TOKEN_ENDPOINT, body)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")


def test_a_login_that_ended_at_the_provider_asks_for_a_new_one(logged_in):
    login = logged_in.login
    revocation = form(token=login["refresh_token"], client_id=login["client_id"])
    assert send("POST", f"{ISSUER}/protocol/openid-connect/revoke", revocation).status == 200
    logged_in.change(expires_at=int(time.time()))
    ended = logged_in.run("-e", "SELECT 1")
    assert ended.returncode == 2 and "--login" in ended.stderr


def test_a_login_may_be_denied(user):
    def deny(uri):
        browser = Browser()
        page = submit(browser, *browser.open("GET", uri), username="user_a", password="user_a")
        submit(browser, *page, cancel="No")

    code, seen = user.log_in(deny)
    assert code == 2 and "the login was denied" in seen
    assert not user.file.exists() or json.loads(user.file.read_text()) == {}


def test_a_token_comes_from_the_environment(user):
    body = form(
        grant_type="password",
        client_id=os.environ["SQE_TEST_OIDC_CLIENT_ID"],
        client_secret=os.environ["SQE_TEST_OIDC_CLIENT_SECRET"],
        username="user_ab",
        password="user_ab",
    )
    token = send("POST", TOKEN_ENDPOINT, body).json["access_token"]
    assert user.rows(count("table_b"), SQE_TOKEN=token)[0].isdigit()
    flag = user.run("--token", token, "--format", "csv", "-e", "SELECT 1 AS one")
    assert (flag.stdout, flag.returncode) == ("one\n1\n", 0)
    # One character of the signature differs.
    forged = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    assert user.run("-e", "SELECT 1", SQE_TOKEN=forged).returncode == 2
    both = user.run("-u", "root", "-e", "SELECT 1", SQE_TOKEN=token)
    assert both.returncode == 2 and "-u and SQE_TOKEN" in both.stderr
    assert not user.file.exists()
