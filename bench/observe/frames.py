"""Where the code of a stack lies, without where this machine keeps it."""

import re

PACKAGE = re.compile(r"^.*/(?:site|dist)-packages/")
STANDARD = re.compile(r"^.*/lib/python3\.\d+t?/")


def portable(file: str, folder: str) -> str:
    """Return the path of *file*: "./views.py" in the app's *folder*, "flask/app.py" of a package.

    One of the standard library: "json/decoder.py". Every other file is told by its name.
    """
    if file.startswith("<"):
        return file
    if not file.startswith("/"):
        return f"./{file.removeprefix('./')}"
    if folder and file.startswith(f"{folder}/"):
        return f".{file.removeprefix(folder)}"
    for pattern in (PACKAGE, STANDARD):
        if pattern.match(file):
            return pattern.sub("", file)
    return file.rpartition("/")[2]
