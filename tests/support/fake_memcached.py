"""As much of Memcached as tests ask, for machines without it: a program `memcached` on a path."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Whoever runs the fake must be able to run its Python: root's own is for root alone, and Memcached never is.
PYTHON = sys.executable if os.geteuid() else "/usr/bin/python3"
PROGRAM = """#!{python}
import socketserver, sys

held = {{}}

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(self.answer(*line.decode().split()))

    def answer(self, word, *rest):
        if word == "set":
            held[rest[0]] = self.rfile.readline()
            return b"STORED\\r\\n"
        if word == "get":
            found = held.get(rest[0])
            return (b"VALUE x 0 1\\r\\n" + found if found else b"") + b"END\\r\\n"
        if word == "flush_all":
            held.clear()
            return b"OK\\r\\n"
        return b"VERSION 1.6.0\\r\\n"

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

Server(("127.0.0.1", int(sys.argv[sys.argv.index("-p") + 1])), Handler).serve_forever()
"""


@contextmanager
def path_with_memcached() -> Iterator[str]:
    """Put the program into a folder that everyone may enter; yield a PATH that begins there."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        file = folder / "memcached"
        file.write_text(PROGRAM.format(python=PYTHON))
        file.chmod(0o755)
        yield f"{folder}{os.pathsep}{os.environ['PATH']}"
