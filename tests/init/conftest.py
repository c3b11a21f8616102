from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest


@dataclass
class Serving:
    """A server on this machine with fixed answers."""

    url: str
    answers: dict[str, bytes] = field(default_factory=dict)

    def answer(self, path: str, content: bytes) -> None:
        self.answers[path] = content


@pytest.fixture
def serving() -> Iterator[Serving]:
    answers: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = answers.get(self.path, b"")
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Serving(f"http://127.0.0.1:{server.server_port}", answers)
        finally:
            server.shutdown()
            thread.join()
