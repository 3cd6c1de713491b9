"""Secrets that a run of the suite knows and what is said during it: the two must not meet.

Whoever makes, sends or sees a secret tells it here, and so does whoever starts a server or gets an
error. `conftest.py` compares them at the end.
"""

import base64

_RANDOM_LENGTH = 16
"""What is shorter is a name or a word that a log may have for other reasons."""


class Watch:
    def __init__(self):
        self.secrets: set[str] = set()
        self.said: list[str] = []
        self.servers: list = []

    def secret(self, value: str, short: bool = False) -> str:
        """Remembers a secret; a short one only where it is said to be no usual word."""
        if short or len(value) >= _RANDOM_LENGTH:
            self.secrets.add(value)
        return value

    def login(self, name: str, password: str):
        """Remembers a password, and what stands for a login in the header of HTTP."""
        self.secret(password)
        self.secret(basic(name, password), short=bool(password))

    def says(self, text: str):
        """Remembers the text of an error, or what a program has shown."""
        self.said.append(text)

    def server(self, server):
        """Remembers a server, for its log; returns it."""
        self.servers.append(server)
        return server

    def told(self) -> list[str]:
        """What was said of a secret, with a mark in its place."""
        texts = [server.log for server in self.servers] + self.said
        found = (_around(text, secret) for text in texts for secret in self.secrets)
        return [told for told in found if told]


def _around(text: str, secret: str) -> str | None:
    at = text.find(secret)
    if at < 0:
        return None
    return f"{text[max(at - 200, 0) : at]}[SECRET]{text[at + len(secret) :][:80]}"


def basic(user: str, password: str) -> str:
    """What stands for a login in the header of HTTP, without its padding."""
    return base64.b64encode(f"{user}:{password}".encode()).decode().rstrip("=")


WATCH = Watch()
"""Of this run."""
