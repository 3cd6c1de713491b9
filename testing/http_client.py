"""HTTP for the checks of the test stack: plain requests, and signed ones for an S3 store."""

import datetime
import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request


class Answer:
    """Status, headers and body of an answer, whatever the status is."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error of the REST specification."""
        return self.json["error"]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def send(method, url, body=None, headers=None, token=None):
    """Sends a request. A dict is sent as JSON, bytes as they are, a str as a form."""
    headers = dict(headers or {})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if isinstance(body, dict):
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    elif isinstance(body, str):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = body.encode()
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with _opener.open(request, timeout=60) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as answer:
        return Answer(answer.code, answer.headers, answer.read())


def form(**fields):
    return urllib.parse.urlencode(fields)


class Store:
    """An S3 store with one set of keys; requests are signed by version 4 of AWS' signatures."""

    def __init__(self, endpoint, region, key, secret, session_token=None):
        self.endpoint, self.region = endpoint, region
        self.key, self.secret, self.session_token = key, secret, session_token

    @classmethod
    def vended(cls, config):
        """With the keys of a catalog's `config`."""
        return cls(
            config["s3.endpoint"],
            config.get("client.region", "us-east-1"),
            config["s3.access-key-id"],
            config["s3.secret-access-key"],
            config["s3.session-token"],
        )

    def get(self, location):
        return self._send("GET", *_split(location))

    def put(self, location, body):
        return self._send("PUT", *_split(location), body=body)

    def delete(self, location):
        return self._send("DELETE", *_split(location))

    def list(self, location):
        """`location` is a prefix as it stands: with or without a slash at its end."""
        bucket, prefix = _split(location)
        return self._send("GET", bucket, "", query={"list-type": "2", "prefix": prefix})

    def _send(self, method, bucket, key, query=None, body=b""):
        path = "/" + urllib.parse.quote(f"{bucket}/{key}" if key else bucket)
        pairs = sorted((query or {}).items())
        query_text = urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote, safe="")
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "host": urllib.parse.urlsplit(self.endpoint).netloc,
            "x-amz-content-sha256": digest,
            "x-amz-date": now,
        }
        if self.session_token:
            headers["x-amz-security-token"] = self.session_token
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = "\n".join([method, path, query_text, lines, names, digest])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        text = "\n".join(
            ["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()]
        )
        signing_key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            signing_key = hmac.digest(signing_key, part.encode(), "sha256")
        signature = hmac.digest(signing_key, text.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        url = self.endpoint + path + (f"?{query_text}" if query_text else "")
        return send(method, url, body if method == "PUT" else None, headers)


def _split(location):
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key
