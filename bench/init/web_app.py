"""Where the object stands that a server serves: `shop.wsgi:application`, `app:create_app()`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.init.checkout import Checkout, argument, assignments, calls, constant, joined, last

CLASSES = {
    "Flask": "flask",
    "FastAPI": "fastapi",
    "Starlette": "starlette",
    "Quart": "quart",
    "Litestar": "litestar",
}
PLAIN = ("wsgi", "asgi", "python")  # no framework: its source says so, its packages need not
FACTORIES = ("create_app", "make_app", "build_app", "get_app", "create_application", "get_application")
_WSGI_FACTORIES = ("make_wsgi_app", "default_app")  # of Pyramid and Bottle
_USUAL = ("wsgi", "asgi", "app", "main", "server", "application", "api", "run", "__init__")
# Copies of others' code: what serves there is not the service, unless nothing else does.
_VENDORED = ("vendor", "_vendor", "vendored", "_vendored", "external", "extern", "third_party", "thirdparty")
_SINGLE_FILES = ("bottle.py",)  # frameworks that are copied as a file
_PLACES = (
    "pyproject.toml", "requirements.txt", "Pipfile", "setup.py", "setup.cfg", "manage.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WebApp:
    """An application object, or the factory of one."""

    framework: str  # django, one of CLASSES, or one of PLAIN
    file: str  # below the root
    folder: str  # of the service, below the root; "" is the root
    module: str = ""  # from that folder, or from its src
    name: str = ""  # of the object or factory
    is_factory: bool = False
    is_async: bool = False
    src: bool = False  # its modules stand in src/
    how: str = ""  # of a plain server: where host and port come from ("env", "argv")

    @property
    def has_manage(self) -> bool:
        return self.file.rpartition("/")[2] == "manage.py"

    @property
    def target(self) -> str:
        return f"{self.module}:{self.name}"


def web_apps(files: Checkout) -> list[WebApp]:
    """Return the applications of *files*, of each folder with a service the likeliest first."""
    found = [*_of_django(files)]
    taken = [one.folder for one in found]
    own = [
        path
        for path in files.below("")
        if path.endswith(".py")
        and path.rpartition("/")[2] not in _SINGLE_FILES
        and not any(_within(path, folder) for folder in taken)
    ]
    vendored = [path for path in own if not {*_VENDORED}.isdisjoint(path.split("/")[:-1])]
    for path in own:
        if path not in vendored:
            found += _in_module(files, path)
    if not found:
        for path in vendored:
            found += _in_module(files, path)
    if not any(one.framework in ("django", *CLASSES.values()) for one in found):
        return sorted(found, key=_rank)
    return sorted((one for one in found if one.framework not in PLAIN), key=_rank)


def _within(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _rank(one: WebApp) -> tuple[str, bool, bool, int, str]:
    stem = one.file.rpartition("/")[2].removesuffix(".py")
    usual = _USUAL.index(stem) if stem in _USUAL else len(_USUAL)
    return (
        one.folder,
        one.framework == "python" or (one.framework == "django" and one.is_async),
        one.is_factory,
        usual + one.file.count("/"),
        one.file,
    )


def place_of(files: Checkout, path: str) -> str:
    """Return the nearest folder of *path* that has packages or a manage.py, else the root."""
    folder = path.rpartition("/")[0]
    while folder and not any(_is_place(files, joined(folder, name)) for name in _PLACES):
        folder = folder.rpartition("/")[0]
    return folder


def _is_place(files: Checkout, path: str) -> bool:
    return files.has(path) and (not path.endswith("manage.py") or _is_of_django(files, path))


def _is_of_django(files: Checkout, manage: str) -> bool:
    """Whether a manage.py is Django's: others name their own command line so."""
    return "DJANGO_SETTINGS_MODULE" in files.text(manage)


def module_of(path: str, folder: str) -> tuple[str, bool]:
    """Return the module of a file as its service imports it, and whether it stands in src/."""
    inside = path.removeprefix(f"{folder}/") if folder else path
    src = inside.startswith("src/")
    parts = inside.removeprefix("src/").removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts), src


def _of_django(files: Checkout) -> Iterator[WebApp]:
    for path in files.below("", "manage.py"):
        if not _is_of_django(files, path):
            continue
        folder = path.rpartition("/")[0]
        for kind in ("wsgi", "asgi"):
            module_files = [one for one in files.below(folder, f"{kind}.py") if _is_django(files, one)]
            if module_files:
                module, src = module_of(module_files[0], folder)
                yield WebApp(
                    framework="django",
                    file=path,
                    folder=folder,
                    module=module,
                    name="application",
                    is_async=kind == "asgi",
                    src=src,
                )
                break
        else:
            yield WebApp(framework="django", file=path, folder=folder)


def _is_django(files: Checkout, path: str) -> bool:
    return "application" in files.text(path) and "django" in files.text(path)


def _in_module(files: Checkout, path: str) -> Iterator[WebApp]:
    tree = files.tree(path)
    if tree is None:
        return
    folder = place_of(files, path)
    module, src = module_of(path, folder)
    framework = _framework(tree)
    for name, value in _top(tree):
        made = last(value.func) if isinstance(value, ast.Call) else ""
        if made in CLASSES and _imports(tree, made):
            yield _app(path, folder, module, name, CLASSES[made], src)
        elif made in ("get_wsgi_application", "get_asgi_application"):
            app = _app(path, folder, module, name, "django", src)
            yield replace(app, is_async=made == "get_asgi_application")
        elif made in FACTORIES and (kind := framework or _of_project(files, folder)):
            yield _app(path, folder, module, name, kind, src)
        elif made in _WSGI_FACTORIES or (made and name == "application"):
            yield _app(path, folder, module, name, "wsgi", src)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            made = next((last(one.func) for one in calls(node) if last(one.func) in CLASSES), "")
            required = len(node.args.args) - len(node.args.defaults)
            if made and not required and (node.name in FACTORIES or "app" in node.name):
                yield _app(path, folder, module, node.name, CLASSES[made], src, is_factory=True)
    yield from _plain(files, path, tree, folder, module, src)


def _app(
    path: str, folder: str, module: str, name: str, kind: str, src: bool, *, is_factory: bool = False
) -> WebApp:
    return WebApp(
        framework=kind,
        file=path,
        folder=folder,
        module=module,
        name=name,
        is_factory=is_factory,
        is_async=kind not in ("flask", "wsgi"),
        src=src,
    )


def _top(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a module assigns at its top."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield from assignments(node)


def _framework(tree: ast.Module) -> str:
    return next((CLASSES[last(one.func)] for one in calls(tree) if last(one.func) in CLASSES), "")


def _of_project(files: Checkout, folder: str) -> str:
    trees = (files.tree(path) for path in files.below(folder) if path.endswith(".py"))
    return next((kind for tree in trees if tree and (kind := _framework(tree))), "")


def _imports(tree: ast.Module, name: str) -> bool:
    """Whether *name* is not defined here: a test's own class Flask is none."""
    return not any(isinstance(node, ast.ClassDef) and node.name == name for node in ast.walk(tree))


def _plain(
    files: Checkout, path: str, tree: ast.Module, folder: str, module: str, src: bool
) -> Iterator[WebApp]:
    """Yield a function of WSGI or ASGI, or a program that serves by itself with the standard library."""
    text = files.text(path)
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name, args=ast.arguments(args=[_, ast.arg(arg="start_response")])):
                yield _app(path, folder, module, name, "wsgi", src)
            case ast.AsyncFunctionDef(name=name, args=ast.arguments(args=[_, _, ast.arg(arg="send")])):
                yield _app(path, folder, module, name, "asgi", src)
    if any(last(one.func) in ("HTTPServer", "ThreadingHTTPServer") for one in calls(tree)):
        names = {
            constant(argument(one, "key", 0)) for one in calls(tree) if last(one.func) in ("get", "getenv")
        }
        named = {constant(one.slice) for one in ast.walk(tree) if isinstance(one, ast.Subscript)}
        how = "env" if "PORT" in names | named else "argv" if "sys.argv" in text else ""
        yield WebApp(framework="python", file=path, folder=folder, module=module, how=how, src=src)
