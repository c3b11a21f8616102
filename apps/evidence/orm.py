"""ORM: does one come with the framework? The SQL that it sends is counted beside this, by PostgreSQL."""

from source import distribution
from subject import Finding, Subject, shortened

PATHS = ("/users/1", "/posts?limit=2")


def look(subject: Subject) -> Finding:
    models = sorted(subject.source.imports([subject.app / "models.py"]))
    beside = [module for module in models if not subject.brings(module)]
    whose = "does not come with it" if beside else "comes with it"
    return Finding(
        outcome="no" if beside else "yes",
        shows=f"models.py is written with {', '.join(map(distribution, beside or models))}, which {whose}.",
        output="\n".join(
            f"GET {path}: {shortened(subject.client.get(path).text.strip(), 160)}" for path in PATHS
        ),
    )
