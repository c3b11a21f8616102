"""The mix of a scenario: which exchange is requested next, and what has to be saved before it."""

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, repeat
from random import Random

from bench.errors import UsageError
from bench.load.requests import JAR, Request, Saved, Template, compile_exchange
from bench.model.scenario import Scenario


class Mix:
    """The templates of a scenario, drawn by weight."""

    def __init__(self, scenario: Scenario, host: str) -> None:
        """Compile *scenario* for *host*, the value of the Host header. Raises UsageError."""
        saved = [name for exchange in scenario.exchanges for name in exchange.save]
        consumed = {exchange.consumes for exchange in scenario.exchanges}
        self._templates = tuple(
            compile_exchange(exchange, host, saved, cookies=scenario.cookies)
            for exchange in scenario.exchanges
        )
        self._weights = scenario.weights
        self._streams = scenario.streams
        self._bounds = tuple(accumulate(scenario.weights))
        self._savers = {name: saver for saver in self._templates for name in saver.exchange.save}
        for template in self._templates:
            self.sendable(template, {})
        needed = {name for template in self._templates for name in template.needs}
        self._prepared = tuple(sorted(needed - consumed))
        self.kept = frozenset(name for name in needed - consumed if saved.count(name) == 1)

    @property
    def longest_stream_s(self) -> float | None:
        """How long the longest of its streams lasts if nothing is late. None if it has none."""
        return max((stream.lasts_ms / 1000 for stream in self._streams), default=None)

    @property
    def is_set_up(self) -> bool:
        """Whether some of its requests need values that others save, and do not use them up."""
        return bool(self._prepared)

    @property
    def can_be_shared(self) -> bool:
        """Whether connections may use each other's saved values: none of these changes later."""
        return self.kept.issuperset(self._prepared)

    def keep(self, saved: Saved) -> None:
        """Leave in *saved* what outlives a slice: values that are not used up and that one exchange saves."""
        for name in list(saved):
            if name in self.kept or name == JAR:
                del saved[name][:-1]
            else:
                del saved[name]

    def due_first(self, saved: Saved) -> Template | None:
        """Return what must be sent before *saved* has all lasting values. None if it has."""
        for name in self._prepared:
            if not saved.get(name):
                return self.sendable(self._savers[name], saved)
        return None

    def requests(self, seed: int, connection: int, saved: Saved) -> Iterator[Request]:
        """Yield the endless requests of *connection*.

        They depend on *seed*, *connection* and *saved* only.
        """
        draw = self.drawing(seed, connection)
        if self._never_varies:
            return repeat(draw(saved))
        return (draw(saved) for _ in repeat(None))

    def drawing(self, seed: int, stream: int) -> Callable[[Saved], Request]:
        """Return a function that draws the next request of *stream*.

        Its argument: a connection's saved values.
        """
        random = Random(f"{seed}/{stream}")
        if self._never_varies:
            only = self._templates[0].request(random, {})
            return lambda saved: only
        return partial(self._draw, random)

    def dealt(self, seed: int, requests: int) -> list[Template]:
        """Return as many templates, each as often as its weight says, shuffled by *seed*.

        What a template needs is not in it: see `sendable`.
        """
        counts = dealt_counts(self._weights, requests)
        deck = [one for one, times in zip(self._templates, counts, strict=True) for _ in range(times)]
        Random(seed).shuffle(deck)
        return deck

    @property
    def _never_varies(self) -> bool:
        only = self._templates[0]
        return len(self._templates) == 1 and not (only.needs or only.exchange.fields or only.keeps_cookies)

    def _draw(self, random: Random, saved: Saved) -> Request:
        template = self._templates[bisect(self._bounds, random.random() * self._bounds[-1])]
        return self.sendable(template, saved).request(random, saved)

    def sendable(self, template: Template, saved: Saved) -> Template:
        """Return *template*, or the template that must first save what it needs."""
        tried = [template.exchange.name]
        while (name := template.missing(saved)) is not None:
            saver = self._savers.get(name)
            if saver is None:
                raise UsageError(
                    f"exchange {tried[-1]}: {{{name}}} is neither one of its fields nor saved by an "
                    "exchange of the same mix: add the one that saves it"
                )
            if saver.exchange.name in tried:
                raise UsageError(
                    f"exchanges {', '.join(tried)} wait for each other: {{{name}}} is never saved"
                )
            tried.append(saver.exchange.name)
            template = saver
        return template


def dealt_counts(weights: Sequence[float], requests: int) -> list[int]:
    """Return how many of *requests* each weight gets: by largest remainder, so a small one may get none."""
    *_, total = accumulate(weights)
    shares = [weight * requests / total for weight in weights]
    counts = [int(share) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda place: counts[place] - shares[place])
    for place in by_rest[: requests - sum(counts)]:
        counts[place] += 1
    return counts
