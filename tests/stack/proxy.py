"""A proxy for HTTP: what stands before a server, and sees and changes what passes."""

import dataclasses
import http.client
import http.server
import threading
import urllib.parse
from collections.abc import Iterable

_OF_ONE_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}


@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes


@dataclasses.dataclass
class Answer:
    """`parts` is how `body` is sent, by default at once. The connection ends if it is less."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    parts: Iterable[bytes] | None = None


class Proxy:
    """Stands before the server at `target`. A context manager that ends it.

    The host that the client has asked for is passed on: signatures of S3 include it.
    """

    def __init__(self, target: str):
        self._target = urllib.parse.urlsplit(target)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, self.headers, body)
                try:
                    self._send(proxy.respond(request))
                except ConnectionError:
                    # Clients may leave.
                    self.close_connection = True

            def _send(self, answer):
                self.send_response_only(answer.status)
                for name, value in answer.headers:
                    if name.lower() not in _OF_ONE_HOP:
                        self.send_header(name, value)
                length = len(answer.body)
                if self.command == "HEAD":
                    length = next(
                        (v for n, v in answer.headers if n.lower() == "content-length"), 0
                    )
                if answer.status not in (204, 304):
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command == "HEAD":
                    return
                sent = 0
                for part in [answer.body] if answer.parts is None else answer.parts:
                    self.wfile.write(part)
                    sent += len(part)
                self.close_connection |= sent < length

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass_on

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def uri(self) -> str:
        """The address to give instead of that of the target."""
        return f"http://127.0.0.1:{self._server.server_port}{self._target.path}"

    def respond(self, request: Request) -> Answer:
        """What the client gets, by default what the target answers."""
        return self.ask(request)

    def ask(self, request: Request) -> Answer:
        """What the target answers."""
        connection = http.client.HTTPConnection(self._target.netloc, timeout=60)
        kept = {n: value for n, value in request.headers.items() if n.lower() not in _OF_ONE_HOP}
        connection.request(request.method, request.path, request.body or None, kept)
        try:
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
