"""A target: a server, the connections kept open to it, and what it has answered so far."""

from dataclasses import dataclass, field

from bench.load.answers import WHOLE_BYTES, KnownBodies, Mismatch, check
from bench.load.child.connections import Connection
from bench.load.requests import Request, Saved
from bench.load.responses import Head, Heads


@dataclass(slots=True, kw_only=True)
class Target:
    """A server, the connections kept open to it, and what it has answered."""

    address: tuple[str, int]
    connections: list[Connection] = field(default_factory=list)
    heads: Heads = field(default_factory=Heads)
    bodies: KnownBodies = field(default_factory=KnownBodies)
    ends: dict[str, bool] = field(default_factory=dict)  # exchange → whether its long answers end at all
    hopeless: dict[str, str] = field(default_factory=dict)  # scenario → why no connection could be set up
    means_ns: dict[tuple[str, int], float] = field(default_factory=dict)  # answers, by scenario, connections

    def take(self, count: int) -> list[Connection]:
        """Return *count* of its connections. One that a server ended while it idled is closed."""
        while len(self.connections) < count:
            self.connections.append(Connection(self.address))
        taken = self.connections[:count]
        for connection in taken:
            if connection.connected and connection.read_all() != (b"", ""):
                connection.close()
        return taken

    def mismatch(self, request: Request, head: Head, body: bytes, saved: Saved) -> Mismatch | None:
        """Hold a response against what *request* expects; a body known to be right costs a comparison."""
        template = request.template
        is_dear = template.reads_json or head.encoding or len(body) <= WHOLE_BYTES
        if not (template.lasting and template.looks and is_dear):
            return check(request, head, body, saved)  # to search a text costs less than to know it
        expected = head.status == template.exchange.expect.status
        if expected and self.bodies.knows(request.payload, head, body):
            return None
        mismatch = check(request, head, body, saved)
        if mismatch is None:
            self.bodies.remember(request.payload, head, body)
        return mismatch

    def forget(self) -> None:
        """Forget what connections have saved: the server's data were put back."""
        for connection in self.connections:
            connection.kept.clear()

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            connection.close()
