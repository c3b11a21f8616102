"""A request that a task of a locustfile sends, and its parts as an exchange has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from bench.init.python_values import Fields, Json, Text, Unknown

_SAFE = "/?&=%:;,@!$'()*+~[]#-._"  # as in a URL that someone writes


@dataclass(slots=True, eq=False)
class Sent:
    """A request of a task. *often*: how many times in one execution of the task."""

    line: int
    method: str
    target: str
    named: str = ""
    often: float = 1.0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, Any] | None = None
    text: str | None = None
    fields: Fields = field(default_factory=Fields)
    save: dict[str, str] = field(default_factory=dict)
    status: int = 200
    lacks: str = ""

    @property
    def consumes(self) -> str | None:
        """The saved variable whose thing it deletes: once."""
        used = [one for one in self.fields.uses if f"{{{one}}}" in self.target]
        return used[0] if self.method == "DELETE" and len(used) == 1 else None

    def add(self, name: str, value: Any) -> None:
        """Add what a keyword of the call gives: json, data, headers, params. Raises Unknown."""
        fields = self.fields
        match name, value:
            case _, None:
                return
            case "json", _:
                self.body = fields.plain(value)
            case "data", Json():
                self.body = fields.plain(value.content)
            case "data", Mapping():
                self.form = fields.plain(value)
            case "data", str() | Text():
                self.text = fields.text(value)
            case "headers", Mapping():
                self.headers = {str(key): fields.text(one) for key, one in value.items()}
            case "params", Mapping():
                joined = "&" if "?" in self.target else "?"
                plain = {str(key): fields.text(one) for key, one in value.items()}
                self.target += joined + urlencode(plain, safe="{}", errors="replace")
            case "auth", _:
                self.lacks = "it sends a user and a password (auth): write the header Authorization"
            case _:
                raise Unknown(f"{name}=")


def target_of(value: Any, fields: Fields) -> str:
    """Return the path that a call names, without a fragment. Raises Unknown."""
    parts = value.parts if isinstance(value, Text) else (value,)
    texts = []
    for part in parts:
        if isinstance(part, Text):
            texts.append(_joined(part, fields))
        elif isinstance(part, str):
            texts.append(quote(part, safe=_SAFE, errors="replace"))
        else:
            texts.append(fields.text(part))
    target = "".join(texts)
    if not target.startswith("/"):
        raise Unknown(f"{target}: a URL that is no path of the server")
    return target.partition("#")[0]


def _joined(value: Text, fields: Fields) -> str:
    return "".join(
        _joined(part, fields)
        if isinstance(part, Text)
        else quote(part, safe=_SAFE, errors="replace")
        if isinstance(part, str)
        else fields.text(part)
        for part in value.parts
    )
