"""The contenders of this project, ready to be served as processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.model.contender import Contender
from bench.project import contenders
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime

ROOT = Path(__file__).parents[2]


@contextmanager
def prepared(names: Sequence[str], scratch: Path) -> Iterator[tuple[list[Contender], ProcessRuntime]]:
    """Yield the contenders with these *names*, and a runtime with their environments and services."""
    tables = contenders.declared(ROOT)
    chosen = [contenders.resolve(name, tables) for name in names]
    with ProcessRuntime(
        project=ROOT, placement=placed(None), scratch=scratch / "scratch", logs=scratch / "logs"
    ) as runtime:
        runtime.prepare(chosen)
        yield chosen, runtime
