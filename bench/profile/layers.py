"""Which layer a file belongs to, as the apps declare it in apps/*/layers.toml."""

from pathlib import Path

from bench.errors import UsageError
from bench.files import near_miss, read_toml
from bench.profile.record import Files

FILE = "layers.toml"
REST = "rest"
# In the order of a request's way through a stack, with what a report calls them.
LAYERS = {
    "server": "server and event loop",
    "framework": "framework",
    "validation": "validation and serialisation",
    "orm": "ORM",
    "driver": "database driver",
    "template": "templates",
    "handler": "our handlers",
    REST: "interpreter and kernel (rest)",
}
OURS = "./"  # begins the path of a file of the app itself
UNDECLARED = {OURS: "handler"}  # of an app without layers.toml


def declared(app: Path) -> Files:
    """Return path → layer for the app in the folder *app*; the longest path that fits a file decides.

    Raises UsageError for a layer that is not known, and for a path that two layers claim.
    """
    file = app / FILE
    if not file.is_file():
        return UNDECLARED
    found: dict[str, str] = {}
    for layer, paths in read_toml(file, dict[str, list[str]]).items():
        if layer not in LAYERS or layer == REST:
            known = [name for name in LAYERS if name != REST]
            raise UsageError(f"{file}: {layer}: unknown layer{near_miss(layer, known)}")
        for path in paths:
            if found.setdefault(path, layer) != layer:
                raise UsageError(f"{file}: {layer}: {path} is claimed by {found[path]} as well")
    return found
