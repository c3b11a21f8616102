"""`GET /users/page`: the first users as a table, by the framework's template engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

import pytest
from contract import HTML, Answer, Api, differs, expect, seeded_user

pytestmark = pytest.mark.users

HOSTILE = [
    *("<script>alert(1)</script>", "</td></tr></table>", "<!--", "<b", "&", "&amp;", "&lt;b&gt;"),
    *("\" onload='x'", "{{ 7 * 7 }}", "{% now %}", "${7*7}", "é 漢字 😀", "'"),
]


class Table(HTMLParser):
    """The cells of the page's table, unescaped. A tag that has no place in it is a difference."""

    PLACES = ("thead", "tbody")

    def __init__(self, answer: Answer) -> None:
        super().__init__(convert_charrefs=True)
        self._answer = answer
        self._place = ""
        self._cell: list[str] | None = None
        self.rows: dict[str, list[list[str]]] = {place: [] for place in self.PLACES}
        self.tables = 0
        self.feed(answer.expect_text(HTML))
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Open a row or a cell; inside a cell there are no tags."""
        if self._cell is not None:
            differs(self._answer.request, "names and addresses escaped", f"<{tag}> in a cell")
        self.tables += tag == "table"
        if tag in self.PLACES:
            self._place = tag
        elif tag == "tr" and self._place:
            self.rows[self._place].append([])
        elif tag in ("td", "th") and self._place and self.rows[self._place]:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        """Close a cell, or the part of the table."""
        if tag in ("td", "th") and self._cell is not None:
            self.rows[self._place][-1].append("".join(self._cell))
            self._cell = None
        elif tag in self.PLACES:
            self._place = ""

    def handle_data(self, data: str) -> None:
        """Keep what is in a cell."""
        if self._cell is not None:
            self._cell.append(data)


def expect_table(api: Api, *names: str, path: str = "/users/page") -> None:
    """Fail unless the page is a table of the 20 first users, of whom the first have *names*."""
    users = [seeded_user(number) for number in range(1, 21)]
    for user, name in zip(users, names, strict=False):
        user["name"] = name
    table = Table(answer := api.get(path))
    expect(f"{answer.request}: tables", 1, table.tables)
    expect(f"{answer.request}: heads", 1, len(table.rows["thead"]))
    expect(f"{answer.request}: cells of the head", 3, len(table.rows["thead"][0]))
    expect(answer.request, [[str(value) for value in user.values()] for user in users], table.rows["tbody"])


@contextmanager
def renamed(api: Api, name: str) -> Iterator[None]:
    """Give the first user another *name* for a while."""
    user = seeded_user(1)
    api.put("/users/1", {"name": name, "email": user["email"]}).expect(200)
    try:
        yield
    finally:
        api.put("/users/1", {"name": user["name"], "email": user["email"]}).expect(200)


@pytest.mark.parametrize("path", ["/users/page", "/users/page?limit=5&after=7"])
def test_the_first_20_users_are_shown(api: Api, path: str):
    expect_table(api, path=path)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_escaped(api: Api, name: str):
    with renamed(api, name):
        expect_table(api, name)
    expect_table(api)


def test_the_page_is_in_utf_8_and_says_so(api: Api):
    content_type = api.get("/users/page").response.headers.get("Content-Type", "none")
    expect("GET /users/page: Content-Type", f"{HTML}; charset=utf-8", content_type.lower())


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/users/page").expect(405)


@pytest.mark.parametrize("path", ["/users/page/", "/users/pages", "/users/Page"])
def test_a_path_beside_it_is_404_and_never_a_redirect(api: Api, path: str):
    api.get(path).expect(404)
