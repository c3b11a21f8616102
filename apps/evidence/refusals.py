"""Validation: who refuses what breaks a rule, and is it told which?"""

from source import distribution
from subject import Finding, Subject, shortened

BROKEN = {"name": 5, "email": "nobody"}


def look(subject: Subject) -> Finding:
    answer = subject.client.post("/users", json=BROKEN)
    named = answer.status_code == 422 and all(field in answer.text for field in BROKEN)
    schemas = [file for file in subject.source.closure() if file.stem in ("schemas", "serializers")]
    written_with = sorted(subject.source.imports(schemas))
    beside = [module for module in written_with if not subject.brings(module)]
    what = ", ".join(map(distribution, beside or written_with))
    return Finding(
        outcome="yes" if named and not beside else "no",
        shows=f"By {what}, {'installed beside it' if beside else 'which comes with it'}; "
        f"both broken fields are {'named' if named else 'NOT named'}.",
        output=f"POST /users {BROKEN}: {answer.status_code}\n{shortened(answer.text.strip())}",
    )
