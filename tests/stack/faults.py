"""A proxy that spoils answers of the server behind it: refuses, breaks off, shortens, is slow."""

import collections
import dataclasses
import math
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator

from lake import ENV, Store
from proxy import Answer, Request
from recorder import Recorder

Fault = Callable[["Faults", Request], Answer]
"""Makes the answer to a request in place of the server's, which it may ask."""


@dataclasses.dataclass
class _Rule:
    fault: Fault
    where: Callable[[Request], bool]
    times: float
    after: int


class Faults(Recorder):
    """Passes everything on until it is told another thing."""

    def __init__(self, target: str):
        super().__init__(target)
        self._lock = threading.Lock()
        self.clear()

    def clear(self):
        """From now on nothing is spoiled."""
        with self._lock:
            self._rule: _Rule | None = None
            self.attempts: collections.Counter = collections.Counter()
            """How often each request came to which the rule applies, those that passed included."""
            self.spoiled = 0
            """How many answers were spoiled."""

    def inject(self, fault: Fault, where=lambda request: True, times=math.inf, after=0):
        """Spoils each request of which `where` is true the first `times` times that it comes.

        The first `after` of all such requests are left as they are.
        """
        self.clear()
        with self._lock:
            self._rule = _Rule(fault, where, times, after)

    def respond(self, request: Request) -> Answer:
        fault = self._fault_for(request)
        if fault is None:
            return super().respond(request)
        # For the secrets in it.
        self._keep_request(request)
        return fault(self, request)

    def _fault_for(self, request) -> Fault | None:
        with self._lock:
            rule = self._rule
            if rule is None or not rule.where(request):
                return None
            key = (request.method, request.path, request.headers.get("Range"))
            if self.attempts.total() >= rule.after and self.attempts[key] < rule.times:
                self.spoiled += 1
                fault = rule.fault
            else:
                fault = None
            self.attempts[key] += 1
            return fault


def says(status: int, body: str, content_type: str = "text/html") -> Fault:
    """Answers at once; the server behind is not asked."""
    return lambda faults, request: Answer(status, [("Content-Type", content_type)], body.encode())


def lost(status: int) -> Fault:
    """The server does what it is asked for, and its answer is replaced."""

    def fault(faults, request):
        faults.ask(request)
        return Answer(status, [], b"")

    return fault


def late(seconds: float) -> Fault:
    """The answer begins late."""

    def fault(faults, request):
        time.sleep(seconds)
        return faults.ask(request)

    return fault


def broken_off(faults, request) -> Answer:
    """The connection ends in the middle of the body."""
    answer = faults.ask(request)
    return dataclasses.replace(answer, parts=[answer.body[: len(answer.body) // 2]])


def dripping(bytes_per_second: int) -> Fault:
    """The body comes in small parts."""

    def parts(body: bytes) -> Iterator[bytes]:
        step = max(bytes_per_second // 20, 1)
        for start in range(0, len(body), step):
            yield body[start : start + step]
            time.sleep(step / bytes_per_second)

    def fault(faults, request):
        answer = faults.ask(request)
        return dataclasses.replace(answer, parts=parts(answer.body))

    return fault


def short_body(faults, request) -> Answer:
    """The body is half of what `Content-Range` says, and `Content-Length` agrees with the body."""
    answer = faults.ask(request)
    return dataclasses.replace(answer, body=answer.body[: len(answer.body) // 2])


def short_range(faults, request) -> Answer:
    """A range that is half of what was asked for, in itself consistent."""
    answer = short_body(faults, request)
    headers = []
    for name, value in answer.headers:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", value)
        if found:
            first, _, total = map(int, found.groups())
            value = f"bytes {first}-{first + len(answer.body) - 1}/{total}"
        headers.append((name, value))
    return dataclasses.replace(answer, headers=headers)


def whole_object(faults, request) -> Answer:
    """Everything, whatever range was asked for. The range is signed, so others must ask for it."""
    store = Store(ENV["S3_ENDPOINT"], ENV["S3_REGION"], ENV["S3_ROOT_KEY"], ENV["S3_ROOT_SECRET"])
    found = store.get("s3:/" + urllib.parse.unquote(request.path))
    return Answer(found.status, list(found.headers.items()), found.body)
