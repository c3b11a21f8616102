"""Multipart bodies as they are sent (RFC 7578), with the same boundary in each request."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from bench.load.placeholders import as_text
from bench.project.uploads import parts

_BORDER = "----bench-5c1e8f0a7d9b4263"


def pieces(multipart: Mapping[str, Any]) -> tuple[str | bytes, ...]:
    """Return the body as text, with its placeholders, and the content of files."""
    edge, found, text = border(multipart), list[str | bytes](), ""
    for name, part in parts(multipart):
        text += f'--{edge}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
        if isinstance(part, Mapping):
            text += f'; filename="{_quoted(part["name"])}"\r\nContent-Type: {part["type"]}\r\n\r\n'
            found += [text, b64decode(part["content"])]
            text = "\r\n"
        else:
            text += f"\r\n\r\n{as_text(part)}\r\n"
    return (*found, f"{text}--{edge}--\r\n")


def border(multipart: Mapping[str, Any]) -> str:
    """Return the boundary: always the same, unless a part has it in it."""
    contents = [
        b64decode(part["content"]) if isinstance(part, Mapping) else as_text(part).encode()
        for _, part in parts(multipart)
    ]
    found = _BORDER
    while any(found.encode() in content for content in contents):
        found += "x"
    return found


def _quoted(name: str) -> str:
    """Return *name* as browsers write it in a header of a part."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
