"""Labels that fit, and that still tell the things apart that they name."""

from collections.abc import Iterable, Mapping
from itertools import count, takewhile


def shortened(text: str, letters: int) -> str:
    """Return *text* with at most so many letters: its middle is left out."""
    if len(text) <= letters:
        return text
    begun = 3 * letters // 5
    return f"{text[:begun]}…{text[begun + 1 - letters :]}"


def told_apart(texts: Iterable[str], letters: int) -> Mapping[str, str]:
    """Return each of *texts* with at most so many letters, or as many more as they need to differ."""
    whole = tuple(dict.fromkeys(texts))
    return next(found for more in count(letters) if _differ(found := _cut(whole, more)))


def _differ(found: Mapping[str, str]) -> bool:
    return len(set(found.values())) == len(found)


def _cut(texts: Iterable[str], letters: int) -> Mapping[str, str]:
    found = {text: shortened(text, letters) for text in texts}
    alike: dict[str, list[str]] = {}
    for text, short in found.items():
        alike.setdefault(short, []).append(text)
    for group in alike.values():
        if len(group) > 1:
            begun = _shared(group)
            ended = _shared([text[begun:][::-1] for text in group])
            found |= {text: _around(text, begun, len(text) - ended, letters) for text in group}
    return found


def _shared(texts: Iterable[str]) -> int:
    """Return how many letters all *texts* begin with."""
    columns = zip(*texts, strict=False)
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, columns))


def _around(text: str, begun: int, ended: int, letters: int) -> str:
    """Return what is between *begun* and *ended*, and of what surrounds it as much as there is room for."""
    signs = 1 + (ended < len(text))  # for what is left out, before and behind
    start = min(begun, max(0, ended + signs - letters))
    stop = start + letters - (start > 0)
    head = "…" if start else ""
    return f"{head}{text[start:]}" if stop >= len(text) else f"{head}{text[start : stop - 1]}…"
