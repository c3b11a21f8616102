"""What a running app can do, looked at instead of believed:

    python apps/evidence TOPIC --url http://127.0.0.1:8000 --app apps/flask_app [--environment VIEWS=views]

Each topic is a module here with one function, `look`. What it saw is printed as JSON:
`{"outcome": "yes" | "partly" | "no" | "facts", "shows": a sentence, "output": what that rests on}`.
"""

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from subject import Subject

TOPICS = {
    "async": "waiting",
    "orm": "orm",
    "admin": "admin",
    "authentication": "accounts",
    "templating": "pages",
    "api-docs": "documents",
    "validation": "refusals",
    "learning-curve": "size",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="apps/evidence")
    parser.add_argument("topic", choices=TOPICS)
    parser.add_argument("--url", required=True, help="where the app answers: http://HOST:PORT")
    parser.add_argument("--app", required=True, type=Path, help="the folder of its source and its lock")
    parser.add_argument("--packages", type=Path, help="its site-packages, where they can be read")
    parser.add_argument("--environment", nargs="*", default=[], help="NAME=value, as its server has it")
    asked = parser.parse_args()
    subject = Subject(
        url=asked.url,
        app=asked.app,
        packages=asked.packages,
        environment=dict(pair.split("=", 1) for pair in asked.environment),
    )
    found = importlib.import_module(TOPICS[asked.topic]).look(subject)
    json.dump(asdict(found), sys.stdout)


main()
