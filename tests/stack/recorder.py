"""A proxy that keeps every secret which passes through it, and can answer in its peer's place."""

import json
import urllib.parse

from proxy import Answer, Proxy, Request
from watch import WATCH

_SECRET = {
    "access_token",
    "refresh_token",
    "id_token",
    "password",
    "client_secret",
    "s3.access-key-id",
    "s3.secret-access-key",
    "s3.session-token",
}


class Recorder(Proxy):
    """`secrets` has every secret that was sent or answered, under the name of its field.

    With `answer`, a status and a body, all requests get that.
    """

    def __init__(self, target: str):
        super().__init__(target)
        self.secrets: dict[str, set[str]] = {}
        self.answer: tuple[int, bytes] | None = None

    def respond(self, request: Request) -> Answer:
        self._keep_request(request)
        if self.answer is None:
            answer = self.ask(request)
        else:
            status, body = self.answer
            answer = Answer(status, [("Content-Type", "text/html")], body)
        self._keep(answer.body)
        return answer

    def _keep_request(self, request):
        scheme, _, value = (request.headers.get("Authorization") or "").partition(" ")
        if scheme == "Bearer":
            self._add("access_token", value)
        if value := request.headers.get("X-Amz-Security-Token"):
            self._add("s3.session-token", value)
        if request.headers.get("Content-Type") == "application/x-www-form-urlencoded":
            for name, value in urllib.parse.parse_qsl(request.body.decode(errors="replace")):
                if name in _SECRET:
                    self._add(name, value)

    def _keep(self, body):
        try:
            pending = [json.loads(body)]
        except ValueError:
            return
        while pending:
            part = pending.pop()
            if isinstance(part, dict):
                for name, value in part.items():
                    if name in _SECRET and isinstance(value, str):
                        self._add(name, value)
                pending += part.values()
            elif isinstance(part, list):
                pending += part

    def _add(self, name, value):
        self.secrets.setdefault(name, set()).add(value)
        WATCH.secret(value)
