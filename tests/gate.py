"""Does the gate hold its word about services that are not ours? `bench diff` on small repositories.

    python -m tests.gate same [--times 10]   identical code, four kinds of service: none may be REGRESSED
    python -m tests.gate slowed              a handler slowed by half, in five places: none may be EQUIVALENT
    python -m tests.gate waiting             answers of 5 to 1,000 ms, each against itself 40 % slower

Each line is one diff, as JSON: what was made, exit code, verdict, seconds. Run nothing beside it.
"""

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.repositories import commit, git

ROOT = Path(__file__).parents[1]
BENCH = Path(sys.executable).with_name("bench")
COST, SLOWED = 40_000, 60_000  # numbers that a handler adds up

SERVER = """
import json, os, socket, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
{imports}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/health":
            return self.send(200, {{}})
        work()
        status, content = respond(self.command, self.path, self.headers, body)
        self.send(status, content)

    def send(self, status, content):
        body = json.dumps(content).encode()
        fields = f"Content-Type: application/json\\r\\nContent-Length: {{len(body)}}\\r\\n"
        self.wfile.write(f"HTTP/1.1 {{status}} Status\\r\\n{{fields}}\\r\\n".encode() + body)

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass

{service}

class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

if __name__ == "__main__":
    Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""

STATELESS = """
def respond(method, path, headers, body):
    return 200, {"message": "Hello"}
"""

SQLITE = """
import sqlite3, threading
HELD = threading.local()

def database():
    if not hasattr(HELD, "database"):
        HELD.database = sqlite3.connect("notes.sqlite", timeout=5, isolation_level=None)
        HELD.database.execute("PRAGMA synchronous = OFF")
    return HELD.database

database().execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)")

def respond(method, path, headers, body):
    if method == "POST":
        database().execute("INSERT INTO notes (text) VALUES (?)", [json.loads(body)["text"]])
        return 201, {}
    return 200, [row[0] for row in database().execute("SELECT text FROM notes LIMIT 2000")]
"""

POSTGRES = """
import psycopg, threading
HELD = threading.local()

def database():
    if not hasattr(HELD, "database"):
        HELD.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    return HELD.database

database().execute("CREATE TABLE IF NOT EXISTS notes (id bigserial PRIMARY KEY, text text NOT NULL)")

def respond(method, path, headers, body):
    if method == "POST":
        database().execute("INSERT INTO notes (text) VALUES (%s)", [json.loads(body)["text"]])
        return 201, {}
    return 200, [row[0] for row in database().execute("SELECT text FROM notes LIMIT 2000")]
"""

LOGIN = """
import hashlib, secrets
SESSIONS = set()

def respond(method, path, headers, body):
    if path == "/login":
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 20_000)
        SESSIONS.add(token := secrets.token_hex(8))
        return 200, {"user": {"token": token}}
    known = headers.get("Authorization", "").removeprefix("Bearer ") in SESSIONS
    return (200, {"name": "Ada"}) if known else (401, {"detail": "log in"})
"""

NOTES = """
[exchanges.write]
request = "POST /notes"
fields = { text = { letters = 20 } }
body = { text = "{text}" }
expect = { status = 201 }
[exchanges.read]
request = "GET /notes"
[scenarios.write]
mix = { write = 1 }
[scenarios.read]
mix = { read = 1 }
"""

HELLO = """
exchanges.front = { request = "GET /", expect = { json = { message = "Hello" } } }
scenarios.front = { mix = { front = 1 } }
"""

PAGE = """
[exchanges.login]
request = "POST /login"
body = { user = "ada" }
save = { token = "user.token" }
[exchanges.page]
request = "GET /me"
headers = { Authorization = "Bearer {token}" }
expect = { json = { name = "Ada" } }
[scenarios.page]
mix = { page = 1000000, login = 1 }
"""

KINDS = {
    "stateless": (STATELESS, HELLO),
    "sqlite": (SQLITE, NOTES),
    "postgres": (POSTGRES, NOTES),
    "login": (LOGIN, PAGE),
}

Place = Callable[[Path, int], None]  # writes where the handler's work lies: a project, and how much of it


def in_a_link(project: Path, cost: int) -> None:
    """The handler's work lies in a package that a tracked link leads to."""
    write(project / "libs" / "pricing.py", work_of(cost))
    link = project / "apps" / "shop_app" / "pricing.py"
    if not link.is_symlink():
        link.symlink_to("../../libs/pricing.py")


def in_an_include(project: Path, cost: int) -> None:
    """It lies in a wheel that a file names which the lock includes."""
    wheels = project.with_name(f"{project.name}-wheels")
    wheel = made_wheel(wheels, str(cost), work_of(cost))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    app = project / "apps" / "shop_app"
    kept = app / "requirements.txt"
    others = (
        [line for line in kept.read_text().splitlines() if line != "-r base.txt"] if kept.exists() else []
    )
    write(kept, "\n".join(["-r base.txt", *others, ""]))
    write(app / "base.txt", f"pricing=={cost} --hash=sha256:{digest}\n")


def in_a_submodule(project: Path, cost: int) -> None:
    """It lies in a repository of its own."""
    inner = project.with_name(f"{project.name}-inner")
    allowed = ("-c", "protocol.file.allow=always")
    write(inner / "__init__.py", work_of(cost))
    if not (inner / ".git").exists():
        git(inner, "init", "--quiet", "--initial-branch", "main")
    commit(inner)
    place = project / "apps" / "shop_app" / "pricing"
    if place.exists():
        git(place, *allowed, "pull", "--quiet", "origin", "main")
    else:
        git(project, *allowed, "submodule", "add", "--quiet", str(inner), "apps/shop_app/pricing")


def in_a_sibling(project: Path, cost: int) -> None:
    """It lies in a folder beside the app's, which the app puts on its path."""
    write(project / "libs" / "pricing.py", work_of(cost))


def in_a_dot_file(project: Path, cost: int) -> None:
    """It is a number in a file with a leading dot."""
    text = "import pathlib\nCOST = int(pathlib.Path(__file__).with_name('.cost').read_text())\n"
    app = project / "apps" / "shop_app"
    write(app / "pricing.py", f"{text}\n\ndef work():\n    sum(range(COST))\n")
    write(app / ".cost", str(cost))


PLACES: dict[str, Place] = {
    "link": in_a_link,
    "include": in_an_include,
    "submodule": in_a_submodule,
    "sibling": in_a_sibling,
    "dot file": in_a_dot_file,
}


def work_of(cost: int) -> str:
    return f"def work():\n    sum(range({cost}))\n"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def made_wheel(folder: Path, version: str, text: str) -> Path:
    """Return a wheel of a package `pricing`, the same bytes for the same text."""
    info = f"pricing-{version}.dist-info"
    files = {
        "pricing.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pricing\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    wheel = folder / f"pricing-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
    return wheel


def _digest(content: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()


def make_service(project: Path, kind: str, place: Place, cost: int = COST) -> None:
    """Make a repository of one service of a *kind* in *project*, its handler's work at a *place*."""
    service, scenarios = KINDS[kind]
    app = project / "apps" / "shop_app"
    imports = "sys.path.insert(0, '../../libs')\nfrom pricing import work"
    write(app / "app.py", SERVER.format(imports=imports, service=service))
    lock = (ROOT / "apps" / "flask_app" / "requirements.txt").read_text() if kind == "postgres" else ""
    write(app / "requirements.txt", lock)
    services = 'services = ["postgres"]\n' if kind == "postgres" else ""
    command = f'command = "python app.py {{host}} {{port}}"\n{services}'
    write(
        app / "contenders.toml",
        f'[shop]\nstack = "A shop"\ninterface = "wsgi"\nserver = "http.server"\n{command}',
    )
    write(project / "apps" / "scenarios.toml", scenarios)
    write(project / ".gitignore", ".venvs/\n.bench/\nresults/\n__pycache__/\n")
    git(project, "init", "--quiet", "--initial-branch", "main")
    place(project, cost)
    commit(project, "a shop")


def make_waiting(project: Path, wait_s: float) -> None:
    """Make a service whose answers take *wait_s*, without using CPU."""
    make_service(project, "stateless", in_a_sibling)
    change_wait(project, wait_s)


def change_wait(project: Path, wait_s: float) -> None:
    write(project / "libs" / "pricing.py", f"import time\n\n\ndef work():\n    time.sleep({wait_s})\n")
    commit(project, f"answers take {wait_s} s")


def judged(project: Path, budget: str, **facts: object) -> dict[str, object]:
    """Return what `bench diff` says of the last commit, with *facts* of how it was made."""
    out = project.with_name(f"{project.name}-out-{time.time_ns()}")
    wheels = project.with_name(f"{project.name}-wheels")
    begun = time.monotonic()
    done = subprocess.run(
        [BENCH, "diff", "HEAD~1", "HEAD", "--all", "--runtime", "process", "--budget", budget, "--out", out],
        cwd=project,
        env=os.environ | ({"UV_FIND_LINKS": str(wheels)} if wheels.is_dir() else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    kept = out / "verdict.json"
    verdict = json.loads(kept.read_bytes())["verdict"] if kept.exists() else None
    took_s = round(time.monotonic() - begun)
    last = done.stderr.strip().splitlines()[-1:] if done.returncode not in (0, 1) else []
    changes = [line for line in done.stdout.splitlines() if line.startswith("- ")][:4]
    return {
        **facts,
        "exit": done.returncode,
        "verdict": verdict,
        "seconds": took_s,
        "why": last,
        "lines": changes,
    }


def same(folder: Path, times: int, budget: str) -> Iterator[dict[str, object]]:
    """Yield diffs of identical code: another comment is all that the last commit brings."""
    for kind in KINDS:
        project = folder / f"same-{kind}"
        make_service(project, kind, in_a_sibling)
        for number in range(times):
            write(project / "libs" / "pricing.py", f"# {number}\n{work_of(COST)}")
            commit(project, f"comment {number}")
            yield judged(project, budget, kind=kind, number=number)


def slowed(folder: Path, budget: str) -> Iterator[dict[str, object]]:
    """Yield diffs of services slowed by half, wherever the change lies."""
    for kind in KINDS:
        for name, place in PLACES.items():
            project = folder / f"slowed-{kind}-{name.replace(' ', '-')}"
            make_service(project, kind, place)
            place(project, SLOWED)
            commit(project, "slower")
            yield judged(project, budget, kind=kind, place=name)


def waiting(folder: Path, budget: str) -> Iterator[dict[str, object]]:
    """Yield diffs of answers that take 40 % longer."""
    for wait_ms in (5, 50, 100, 300, 1000):
        project = folder / f"waiting-{wait_ms}"
        make_waiting(project, wait_ms / 1000)
        change_wait(project, wait_ms * 1.4 / 1000)
        yield judged(project, budget, wait_ms=wait_ms)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["same", "slowed", "waiting"])
    parser.add_argument("--times", type=int, default=10, help="diffs of each kind of service")
    parser.add_argument("--budget", default="45s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-gate-") as name:
        folder = Path(name)
        if options.what == "same":
            found = same(folder, options.times, options.budget)
        else:
            found = {"slowed": slowed, "waiting": waiting}[options.what](folder, options.budget)
        for line in found:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
