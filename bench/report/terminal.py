"""How things look on a terminal, whatever is told there."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WARNING = "yellow"


def table_of(title: Text) -> Table:
    """Return an empty table with *title*, as narrow as can be."""
    return Table(
        title=title,
        title_justify="left",
        title_style="",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def say(console: Console, text: str, style: str = "") -> None:
    """Print *text* as it is: brackets in it are no markup."""
    console.print(Text(text, style=style))
