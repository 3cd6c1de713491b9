"""What belongs to one user is of no use to another: handles, tickets, connections, caches."""

import base64
import concurrent.futures
import contextlib

import pyarrow.flight as flight
import pytest

from lake import Namespace, root, token
from watch import WATCH

ROWS = 5003


@pytest.fixture(scope="module")
def table(minimal):
    """A table that user_ab may read, and user_a may not."""
    with Namespace("sessions") as made, root(minimal) as service:
        name = f"{made.full}.one"
        service.rows(f"CREATE TABLE {name} AS SELECT value AS id FROM generate_series(1, {ROWS})")
        made.grant("engineer", "TABLE_READ_DATA", table="one")
        yield name


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{user}".encode()).decode()


def options(authorization: str) -> flight.FlightCallOptions:
    return flight.FlightCallOptions(headers=[(b"authorization", authorization.encode())])


def field(number: int, data: bytes) -> bytes:
    """A field of a message of Protocol Buffers."""
    length, size = len(data), b""
    while length >= 0x80:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + data


def command(name: str, argument: bytes) -> bytes:
    """A command of Flight SQL whose first field is `argument`."""
    url = f"type.googleapis.com/arrow.flight.protocol.sql.{name}"
    return field(1, url.encode()) + field(2, field(1, argument))


@contextlib.contextmanager
def listening():
    """Remembers an error that is raised, for the search for secrets."""
    try:
        yield
    except flight.FlightError as error:
        WATCH.says(str(error))
        raise


class Connection:
    """One connection, on which each call may come from somebody else."""

    def __init__(self, server):
        self.client = flight.connect(f"grpc://{server.address()}")

    def info(self, authorization, name, argument: bytes):
        descriptor = flight.FlightDescriptor.for_command(command(name, argument))
        with listening():
            return self.client.get_flight_info(descriptor, options(authorization))

    def fetch(self, authorization, info):
        (endpoint,) = info.endpoints
        with listening():
            return self.client.do_get(endpoint.ticket, options(authorization)).read_all()

    def rows(self, authorization, sql: str):
        info = self.info(authorization, "CommandStatementQuery", sql.encode())
        return self.fetch(authorization, info).to_pylist()

    def prepare(self, authorization, sql: str) -> bytes:
        """The handle of a prepared statement."""
        body = command("ActionCreatePreparedStatementRequest", sql.encode())
        action = flight.Action("CreatePreparedStatement", body)
        (result,) = self.client.do_action(action, options(authorization))
        return field_of(field_of(result.body.to_pybytes(), 2), 1)


def field_of(message: bytes, wanted: int) -> bytes:
    """The first field of a number; all fields of the message are bytes."""
    while message:
        number, message = message[0] >> 3, message[1:]
        length = shift = 0
        while True:
            byte, message = message[0], message[1:]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if number == wanted:
            return message[:length]
        message = message[length:]
    raise AssertionError(f"no field {wanted}")


@pytest.fixture
def connection(oidc):
    return Connection(oidc)


WHO = "SELECT current_user AS u"


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_users_who_share_a_connection_do_not_mix(connection, table, kind):
    show = basic if kind == "basic" else lambda user: f"Bearer {token(user)}"
    logins = {user: show(user) for user in ("user_a", "user_ab")}
    for _ in range(3):
        for user, login in logins.items():
            assert connection.rows(login, WHO) == [{"u": user}]
        count = f"SELECT count(*) AS n FROM {table}"
        assert connection.rows(logins["user_ab"], count) == [{"n": ROWS}]
        with pytest.raises(flight.FlightUnauthorizedError):
            connection.rows(logins["user_a"], count)


def test_a_ticket_is_of_no_use_to_another_user(connection, oidc, table):
    owner, thief = basic("user_ab"), basic("user_a")
    query = f"SELECT id FROM {table}".encode()
    for other in (connection, Connection(oidc)):
        info = connection.info(owner, "CommandStatementQuery", query)
        for login in (thief, f"Bearer {token('user_a')}"):
            with pytest.raises((flight.FlightError, KeyError)) as raised:
                other.fetch(login, info)
            assert "one" not in str(raised.value)
        assert connection.fetch(owner, info).num_rows == ROWS


def test_a_prepared_statement_is_of_no_use_to_another_user(connection, oidc, table):
    owner, thief = basic("user_ab"), basic("user_a")
    handle = connection.prepare(owner, f"SELECT id FROM {table}")
    name = "CommandPreparedStatementQuery"
    for other in (connection, Connection(oidc)):
        with pytest.raises((flight.FlightError, KeyError)):
            other.fetch(thief, other.info(thief, name, handle))
    assert connection.fetch(owner, connection.info(owner, name, handle)).num_rows == ROWS


def test_a_token_of_a_handshake_is_of_its_user_on_every_connection(oidc, table):
    made = {}
    for user in ("user_a", "user_ab"):
        _, header = Connection(oidc).client.authenticate_basic_token(user, user)
        made[user] = header.decode()
        WATCH.secret(made[user].removeprefix("Bearer "))
    for _ in range(2):
        other = Connection(oidc)
        for user, header in made.items():
            assert other.rows(header, WHO) == [{"u": user}]
        with pytest.raises(flight.FlightUnauthorizedError):
            other.rows(made["user_a"], f"SELECT * FROM {table}")
    changed = made["user_ab"][:-1] + ("A" if made["user_ab"][-1] != "A" else "B")
    with pytest.raises(flight.FlightUnauthenticatedError):
        Connection(oidc).rows(changed, WHO)


def test_many_at_once_do_not_mix(oidc, table):
    def work(number):
        user = ("user_a", "user_ab")[number % 2]
        connection = Connection(oidc)
        seen = set()
        for _ in range(10):
            try:
                (row,) = connection.rows(basic(user), f"SELECT count(*) AS n FROM {table}")
                seen.add(row["n"])
            except flight.FlightUnauthorizedError:
                seen.add("denied")
        return user, seen

    expected = {"user_a": {"denied"}, "user_ab": {ROWS}}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for user, seen in pool.map(work, range(32)):
            assert seen == expected[user], user
