"""HTML forms, filled in as a person would."""

from html.parser import HTMLParser

import httpx

NAME, PASSWORD = "admin", "admin"  # of the one account that the apps' features/ make


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "input" and found.get("name"):
            self.values[str(found["name"])] = found.get("value") or ""


def inputs(page: str) -> dict[str, str]:
    """Return the value of every named input of *page*."""
    reader = _Inputs()
    reader.feed(page)
    return reader.values


def log_in(client: httpx.Client, form: httpx.Response, password: str = PASSWORD) -> httpx.Response:
    """Send the log-in *form* filled in, hidden fields included, to where it came from."""
    filled = {**inputs(form.text), "username": NAME, "password": password}
    headers = {"Referer": str(form.url)}
    return client.post(form.url, data=filled, headers=headers, follow_redirects=True)
