from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field

from bench.runtime.services.copies import Copies
from tests.support.projects import tiny


@dataclass
class Names:
    """A database server that notes the names of the copies that it makes."""

    copies: list[str] = field(default_factory=list)

    @property
    def databases(self):
        return self

    def template(self, texts):
        return "template"

    @contextmanager
    def copied(self, template, name, texts):
        self.copies.append(name)
        yield name


def test_names_of_copies_are_equally_long_in_every_round_as_servers_find_them_in_their_environment(tmp_path):
    server = Names()
    service = Copies(lambda _: nullcontext(server), ExitStack())
    sides = [tiny(tmp_path, f"tiny@{label}") for label in ("0a1b2c3d", "worktree", "0a1b2c3d~aa")]
    for one in sides:
        service.prepare(one)
    for _ in range(40):
        with service.given(sides) as given:
            assert len([*given]) == len(sides)
    assert len(set(server.copies)) == 120
    assert len({len(name) for name in server.copies}) == 1
