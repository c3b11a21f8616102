"""Validation: who refuses what breaks a rule, and is it told which?"""

import json

from source import distribution
from subject import Finding, Subject, shortened

BROKEN = {"name": "x" * 101}  # too long, and no e-mail: rules of the libraries, none of this project's


def look(subject: Subject) -> Finding:
    answer = subject.client.post("/users", json=BROKEN)
    detail = json.dumps(answer.json().get("detail")) if answer.status_code == 422 else ""
    named = all(field in detail for field in ("name", "email"))
    schemas = [file for file in subject.source.closure() if file.stem in ("schemas", "serializers")]
    written_with = sorted(subject.source.imports(schemas))
    beside = [module for module in written_with if not subject.brings(module)]
    what = ", ".join(map(distribution, beside or written_with))
    return Finding(
        outcome="yes" if named and written_with and not beside else "no",
        shows=f"By {what}, {'installed beside it' if beside else 'which comes with it'}; "
        f"both fields are {'named' if named else 'NOT named'}.",
        output=f"POST /users, a name of 101 letters and no e-mail: {answer.status_code}\n"
        f"{shortened(answer.text.strip())}",
    )
