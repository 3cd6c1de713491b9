"""Approves a device code in Keycloak as a person would in a browser: log in, then consent.

    approve_device.py VERIFICATION_URI_COMPLETE USER PASSWORD

The pages are read for the address of their one form. Cookies are kept by hand, because Keycloak
marks them as secure even on plain HTTP, where Python's own cookie jar would not send them back.
"""

import html
import re
import sys
import urllib.parse

from http_client import form, send


class Browser:
    def __init__(self):
        self.cookies = {}

    def open(self, method, url, body=None):
        """Follows redirections, and returns the page with the URL where it is."""
        for _ in range(10):
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            answer = send(method, url, body, {"Cookie": cookies})
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.split(";")[0].partition("=")
                self.cookies[name] = value
            if answer.status not in (301, 302, 303, 307):
                return answer, url
            url = urllib.parse.urljoin(url, answer.headers["Location"])
            method, body = "GET", None
        raise RuntimeError(f"too many redirections, the last one to {url}")


def submit(browser, answer, url, **fields):
    """Sends the form of the page `answer` with these fields, and what is hidden in it."""
    page = answer.body.decode()
    action = re.search(r'<form[^>]*\baction="([^"]*)"', page)
    if answer.status != 200 or action is None:
        raise RuntimeError(f"{url}: {answer.status}, a page with a form is expected")
    for tag in re.findall(r'<input[^>]*type="hidden"[^>]*>', page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value:
            fields.setdefault(name[1], html.unescape(value[1]))
    target = urllib.parse.urljoin(url, html.unescape(action[1]))
    return browser.open("POST", target, form(**fields))


def approve(verification_uri_complete, user, password):
    browser = Browser()
    login = browser.open("GET", verification_uri_complete)
    consent = submit(browser, *login, username=user, password=password)
    done, url = submit(browser, *consent, accept="Yes")
    if done.status != 200:
        raise RuntimeError(f"{url}: {done.status} after the consent")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    approve(*sys.argv[1:])
