"""A name stands for one thing: a reader who searches for a class or a file of bench/ finds one place."""

import ast
from collections import defaultdict
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"
DEMANDED = {"__init__.py", "__main__.py", "sitecustomize.py"}  # by Python
COMMANDS = "cli"  # a command is a file there, and may share its name with the file of its room


def classes(root):
    """Yield each class below *root*: its name and its place."""
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, f"{file.relative_to(root)}:{node.lineno}"


def files(root):
    """Yield each module below *root* that has a name of our choice: its name and its place."""
    for file in sorted(root.rglob("*.py")):
        place = file.relative_to(root)
        if file.name not in DEMANDED and place.parts[0] != COMMANDS:
            yield file.name, str(place)


def shared(named):
    """Return a line for each name that stands in two places or more."""
    places = defaultdict(list)
    for name, place in named:
        places[name].append(place)
    return [f"{name}: {', '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]


def test_no_class_name_stands_for_two_things():
    found = shared(classes(BENCH))
    assert not found, "give the one that is less used a more exact name:\n" + "\n".join(found)


def test_no_file_name_stands_in_two_rooms():
    found = shared(files(BENCH))
    assert not found, "give the one whose noun can be more exact another name:\n" + "\n".join(found)


def test_a_name_in_two_places_is_found_with_both(tmp_path):
    for place, text in {
        "model.py": "class Step: ...\n",
        "run/steps.py": "\n\ndef made():\n    class Step: ...\n\n\nclass Pace: ...\n",
        "load/steps.py": "STEP = 'class Pace'\n",
        "load/__init__.py": "",
        "run/__init__.py": "",
        "cli/steps.py": "",
        "load/sitecustomize.py": "",
        "run/sitecustomize.py": "",
    }.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(text, encoding="utf-8")
    assert shared(classes(tmp_path)) == ["Step: model.py:1, run/steps.py:4"]
    assert shared(files(tmp_path)) == ["steps.py: load/steps.py, run/steps.py"]
