"""Reads an HTML page as a reader's program does: what is in it, and whether its tags balance."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}


@dataclass(slots=True)
class Element:
    """A tag with what it holds; text and elements in their order."""

    tag: str
    attributes: dict[str, str]
    content: "list[Element | str]" = field(default_factory=list)

    def all(self, tag="", **wanted):
        """Yield the elements below this one with that tag and those attributes (class_ for class)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        for element in self.content:
            if isinstance(element, str):
                continue
            if tag in ("", element.tag) and wanted.items() <= element.attributes.items():
                yield element
            yield from element.all(tag, **{name.replace("-", "_"): value for name, value in wanted.items()})

    def one(self, tag="", **wanted):
        """Return the only such element."""
        (found,) = self.all(tag, **wanted)
        return found

    @property
    def text(self):
        """What a reader sees, in single spaces."""
        parts = (part if isinstance(part, str) else f" {part.text} " for part in self.content)
        return " ".join("".join(parts).split())


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attributes):
        element = Element(tag, {name: value or "" for name, value in attributes})
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].content.append(Element(tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, text):
        self.open[-1].content.append(text)


def read(html):
    """Return the page; fails where a tag is not closed by its own."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root
