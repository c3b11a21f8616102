"""An app's source and lock, read without running either."""

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

# Where the name that is imported is not that of the distribution.
DISTRIBUTIONS = {"rest_framework": "djangorestframework"}


def distribution(module: str) -> str:
    """Return the name under which a lock has *module*."""
    return DISTRIBUTIONS.get(module, module.replace("_", "-"))


class Source:
    """The modules of an app as one of its variants puts them together."""

    def __init__(self, app: Path, environment: Mapping[str, str]) -> None:
        self.app = app
        self.environment = environment

    def closure(self, entry: str = "app") -> list[Path]:
        """Return the files that are in use from *entry* on: what is imported, or named by a string.

        `import_module(settings.VIEWS)` and `ROOT_URLCONF = "urls"` name modules by strings; where a variable
        of the environment decides (`os.environ.get("VIEWS", "views")`), it decides here as well.
        """
        found: dict[Path, None] = {}
        waiting = [entry]
        while waiting:
            file = self.app / f"{waiting.pop().replace('.', '/')}.py"
            if file.is_file() and file not in found:
                found[file] = None
                waiting.extend(self._named(ast.parse(file.read_text())))
        return sorted(found)

    def imports(self, files: Iterable[Path]) -> set[str]:
        """Return the top-level modules that *files* import from outside the app and the standard library."""
        named = {name.split(".")[0] for file in files for name in _imported(ast.parse(file.read_text()))}
        own = {path.stem for path in self.app.iterdir()}
        return named - own - set(sys.stdlib_module_names)

    def _named(self, tree: ast.Module) -> list[str]:
        decided = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and _variable(call)]
        skipped = {id(argument) for call in decided for argument in call.args}
        names = [*_imported(tree)]
        names += [self.environment.get(_variable(call), call.args[1].value) for call in decided]
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                names.append(node.value)
        return [name for name in names if re.fullmatch(r"\w+(\.\w+)*", name)]


def _imported(tree: ast.Module) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


def _variable(call: ast.Call) -> str:
    """Return the variable of `environ.get("NAME", "default")` or `environ.setdefault(…)`, else nothing."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    texts = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return texts[0] if called in ("get", "setdefault") and len(texts) == 2 and texts[0].isupper() else ""


def code_lines(file: Path) -> int:
    """Return the lines of *file* that hold code or markup: neither empty nor a comment alone."""
    lines = (line.strip() for line in file.read_text().splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


def definitions(file: Path) -> list[str]:
    """Return the functions and classes that *file* defines."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kinds)]


class Lock:
    """What is installed, and on whose account (`# via`)."""

    def __init__(self, file: Path) -> None:
        self.via: dict[str, set[str]] = {}
        name = ""
        for line in file.read_text().splitlines():
            if pinned := re.match(r"([a-z0-9.-]+)(\[.*\])?==", line):
                name = pinned[1]
                self.via[name] = set()
            elif name and (asked := re.fullmatch(r"    #(?: via)?\s+(\S.*)", line)):
                self.via[name].add(asked[1].removeprefix("-r "))

    def leads(self, first: str, module: str) -> bool:
        """Return whether *module* is of the distribution *first*, or of one that *first* led to."""
        return distribution(module) in self.behind({first})

    def behind(self, names: Iterable[str]) -> set[str]:
        """Return the distributions *names* and all that they need."""
        found: set[str] = set()
        more = {distribution(name) for name in names} & self.via.keys()
        while more:
            found |= more
            more = {name for name, asked in self.via.items() if asked & more} - found
        return found

    @property
    def asked_for(self) -> set[str]:
        """What requirements.in names by itself."""
        return {name for name, asked in self.via.items() if "requirements.in" in asked}
