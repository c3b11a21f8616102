"""A text that a simple regular expression matches."""

import re

_ATOM = re.compile(
    r"(?P<literal>[A-Za-z0-9_\-:/@,=~%&!;'\"#<> ])"
    r"|\\(?P<escaped>[dwsDWS.\-/+*?()\[\]{}|^$\\_:@ ])"
    r"|\[(?P<class>[^\]\[^][^\]\[]*)\]"
    r"|(?P<any>\.)"
)
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|([*+?])")
_CLASSES = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_LONGEST = 200


def matching(pattern: str, least: int = 0, most: int = _LONGEST) -> str | None:
    """Return a text of *least* to *most* characters that *pattern* matches.

    None: the pattern has groups, choices or more that is not understood here.
    """
    inner = pattern.removeprefix("^")
    if inner.endswith("$") and not inner.endswith("\\$"):
        inner = inner[:-1]
    pieces = _pieces(inner)
    if pieces is None:
        return None
    for more in (0, 1, 2, 4, 8, least):
        text = "".join(one * min(low + more, high) for one, low, high in pieces)
        try:
            if least <= len(text) <= min(most, _LONGEST) and text and re.search(pattern, text):
                return text
        except re.error:  # an expression of JavaScript, it may be
            return None
    return None


def _pieces(inner: str) -> list[tuple[str, int, int]] | None:
    """Return character, least and most repetitions of each part of *inner*."""
    at, found = 0, []
    while at < len(inner):
        atom = _ATOM.match(inner, at)
        if atom is None:
            return None
        at = atom.end()
        low, high = 1, 1
        if repeat := _REPEAT.match(inner, at):
            at = repeat.end()
            if repeat[4]:
                low, high = {"*": (0, _LONGEST), "+": (1, _LONGEST), "?": (0, 1)}[repeat[4]]
            else:
                low = int(repeat[1])
                high = low if not repeat[2] else int(repeat[3] or _LONGEST)
        if low > _LONGEST:
            return None
        found.append((_one(atom), low, high))
    return found


def _one(atom: "re.Match[str]") -> str:
    if atom["escaped"]:
        return _CLASSES.get(atom["escaped"], atom["escaped"])
    if atom["class"]:
        first = atom["class"]
        return _CLASSES.get(first[1], first[1]) if first[0] == "\\" and len(first) > 1 else first[0]
    return atom["literal"] or "a"
