"""Plain data as scripts: a page that is opened from a file may load scripts, and no JSON."""

import json
from collections.abc import Mapping
from typing import Any


def to_script(function: str, *arguments: Any) -> str:
    """Return a script that calls *function*."""
    return f"{function}({_harmless(','.join(map(_written, arguments)))});\n"


def run_script(name: str, text: str, beside: Mapping[str, Any]) -> str:
    """Return the script of a run: `benchRun(name, {submission, …})`. *text* is the submission's JSON."""
    return f'benchRun({_written(name)},{{"submission":{_harmless(text)},{_harmless(_written(beside))[1:]});\n'


def _written(one: Any) -> str:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _harmless(text: str) -> str:
    return text.replace("</", "<\\/").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
