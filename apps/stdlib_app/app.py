import argparse
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def hello():
    return {"message": "Hello, World!"}


def health():
    return {"status": "ok"}


VIEWS = {"/": hello, "/health": health}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75  # keep-alive, as everywhere
    wbufsize = -1  # head and body leave in one send: two would meet Nagle and delayed ACK (44 ms)
    disable_nagle_algorithm = True

    def do_GET(self):
        view = VIEWS.get(self.path.partition("?")[0])
        if view is None:
            self.refuse(HTTPStatus.NOT_FOUND)
        else:
            self.answer(HTTPStatus.OK, view())

    def do_POST(self):
        # Left unread, a body would be taken for the next request on this connection.
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = self.path.partition("?")[0] in VIEWS
        self.refuse(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)

    do_PUT = do_PATCH = do_DELETE = do_POST

    def refuse(self, status):
        self.answer(status, {"detail": status.phrase})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code, message=None, explain=None):
        """Answer what http.server itself refuses: after that nothing on the connection can be trusted."""
        self.close_connection = True
        self.refuse(HTTPStatus(code))

    def log_request(self, code="-", size="-"):
        """Keep no access log, as nowhere."""


class Server(ThreadingHTTPServer):
    request_queue_size = 2048  # as gunicorn and uvicorn; http.server's own is 5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    given = parser.parse_args()
    with Server((given.host, given.port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
