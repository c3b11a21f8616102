"""The program `mysql`, which runs SQL as people keep it: it knows DELIMITER."""

import re
import subprocess
from dataclasses import dataclass, field

from bench.runtime.ports import HOST

USER = "bench"  # the harness; each copy has a user of its own name
TIMEOUT_S = 600  # of a text of SQL
# What a dump of one database says of its name, of its makers, and to other clients. The lines stay.
OF_ANOTHER = re.compile(
    r"^(?:USE\s+[`\w]+\s*;|CREATE\s+(?:DATABASE|SCHEMA)\b[^;]*;|/\*[M!]*!999999\\-.*)[ \t]*$",
    re.MULTILINE | re.I,
)
MAKES = re.compile(r"^\s*(?:/\*!\d+\s+)?(?:CREATE|ALTER|DEFINER)\b.*$", re.MULTILINE | re.I)
NAME = r"(?:`[^`]*`|'[^']*'|\"[^\"]*\"|[\w.%]+)"
DEFINER = re.compile(rf"\bDEFINER\s*=\s*{NAME}\s*@\s*{NAME}", re.I)
MESSAGE = re.compile(r"^ERROR \d+(?: \(\w+\))?(?: at line (\d+))?(?: in file: '[^']*')?: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQLClient:
    """The client of one server."""

    program: str
    title: str  # of the server: MySQL or MariaDB
    port: int
    password: str = field(repr=False)

    def run(self, text: str, database: str) -> tuple[str | None, str] | None:
        """Run *text* in a database. Return line and message of an error."""
        options = [
            "--no-defaults",
            "--protocol=tcp",
            f"--host={HOST}",
            f"--port={self.port}",
            f"--user={USER}",
        ]
        try:
            done = subprocess.run(
                [self.program, *options, "--default-character-set=utf8mb4", "--binary-mode", database],
                input=portable(text).encode(errors="surrogateescape"),
                env={"MYSQL_PWD": self.password, "LC_ALL": "C.UTF-8"},
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, f"{self.title} did not answer within {TIMEOUT_S} s"
        if done.returncode == 0:
            return None
        output = done.stderr.decode(errors="replace")
        if found := MESSAGE.search(output):
            return found[1], found[2]
        return None, (output.strip().splitlines() or ["its client failed without a message"])[-1]


def portable(text: str) -> str:
    """Return SQL without what names its own database, and with makers of objects that exist. Lines stay."""
    text = OF_ANOTHER.sub(lambda found: "\n" * found[0].count("\n"), text)
    return MAKES.sub(lambda found: DEFINER.sub("DEFINER=CURRENT_USER", found[0]), text)
