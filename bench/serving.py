"""One contender and its database, to poke by hand."""

import time
from collections.abc import Callable

from bench.errors import CannotMeasure
from bench.model import Contender
from bench.runtime import Runtime

LOOK_S = 0.2


def serve(contender: Contender, runtime: Runtime, say: Callable[[str], None]) -> None:
    """Serve *contender* as it would be measured until interrupted.

    Raises CannotMeasure where it does not start, or where it or its database ends by itself, and
    KeyboardInterrupt when someone has had enough.
    """
    runtime.prepare([contender])
    with runtime.serve([contender], hash_seed=0) as servers:
        server = servers[contender.name]
        host, port = server.address
        say(f"{contender.name}: http://{host}:{port}/ (Ctrl-C stops it)")
        while not (how := server.ended()):
            runtime.check()
            time.sleep(LOOK_S)
        raise CannotMeasure(f"{contender.name} {how}; its last lines:\n{server.log_tail()}")
