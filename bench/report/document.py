"""A report as sections with tables: what every renderer knows of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# "name" and "numbered" head their row. "figure": a number among words. "verdict" and "outcome" have styles of
# their own, by their words. "claimed": what a source has, and below it what was found, with the verdict.
# "command": code that needs room.
Kind = Literal[
    "rank",
    "name",
    "numbered",
    "text",
    "number",
    "figure",
    "verdict",
    "outcome",
    "claimed",
    "code",
    "command",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """What a cell opens to on a page, word for word."""

    title: str
    label: str  # its title where the cell is not visible
    text: str
    quotes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what it is → lines


@dataclass(frozen=True, slots=True)
class TableCell:
    """The text of a table cell, and its detail: below it where there is room, else after it."""

    text: str
    detail: str = ""
    in_brackets: bool = True  # the detail, where it stands after the text; otherwise after a comma
    contender: str = ""  # whose mark stands before it
    excerpt: Excerpt | None = None
    verdict: str = ""  # on what is claimed in the text, from what was found in the detail

    @property
    def line(self) -> str:
        if self.verdict:
            return "; ".join(filter(None, (self.text, self.detail, self.verdict)))
        if not self.detail:
            return self.text
        return f"{self.text} ({self.detail})" if self.in_brackets else f"{self.text}, {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    heading: str  # in lines on a terminal
    term: str = ""  # its word in the glossary
    kind: Kind = "number"
    detail: str = ""  # the heading of its details, which then have a column of their own in Markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A line above some rows of a table on a page."""

    title: str
    details: tuple[str, ...] = ()
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    caption: str = ""
    captioned: bool = False  # in Markdown too
    style: str = "sortable"  # its classes on a page
    headings: Mapping[int, Heading] = field(default_factory=dict)  # by the number of the row below it
    faint: frozenset[int] = frozenset()  # rows that are no result
    anchor: str = ""  # of what its rows open to
    opened: tuple[tuple[str, "Table"], ...] = ()  # what each row opens to on a page, with a label

    @property
    def page_order(self) -> tuple[int, ...]:
        """The places of its columns on a page: verdicts follow the names."""
        ranks = {"rank": -1, "name": 0, "numbered": 0, "verdict": 1}
        return tuple(
            sorted(range(len(self.columns)), key=lambda place: ranks.get(self.columns[place].kind, 2))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    anchor: str = ""
    short: str = ""  # its title in a list of contents
    about: str = ""  # its title in words, which stands first on a page
    intro: str = ""
    lead: str = ""  # the answer in a sentence; Markdown has those of all sections at its top
    charts: str = ""  # the title that its charts go by
    charts_below: tuple[str, ...] = ()  # what those show that stand below the table in Markdown
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    quotes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what it is → lines, word for word
    parts: tuple["Section", ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """Its notes without those that a page has as its lead or above a table."""
        shown = {self.lead, *(table.caption for table in self.tables)}
        return tuple(note for note in self.notes if note not in shown)


def name_column(heading: str, detail: str = "", term: str = "") -> Column:
    return Column(heading=heading, detail=detail, term=term, kind="name")


def contender_cell(name: str, stack: str = "") -> TableCell:
    return TableCell(name, stack, contender=name)


def lines_table(
    caption: str, columns: tuple[Column, ...], lines: Mapping[str, tuple[tuple[TableCell, ...], ...]]
) -> Table:
    """Return a table of each contender's lines."""
    return Table(
        caption=caption,
        columns=(name_column("contender", term="contender"), *columns),
        rows=tuple((contender_cell(name), *line) for name, several in lines.items() for line in several),
    )
