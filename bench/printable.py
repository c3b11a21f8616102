"""Text from outside, made fit for a terminal, a page and a file of text."""

LONGEST = 200  # characters


def printable(data: bytes | str, longest: int = LONGEST) -> str:
    """Return *data* in one line, at most so long, with nothing in it that a terminal would act on."""
    text = data[: 4 * longest].decode(errors="replace") if isinstance(data, bytes) else data[: 4 * longest]
    line = " ".join("".join(one if one.isprintable() or one.isspace() else "\ufffd" for one in text).split())
    return line if len(line) <= longest else line[:longest] + "…"
