"""Small projects on disk, for tests of what reads them."""

from pathlib import Path

from bench.model.contender import Contender
from bench.model.plan import Plan
from bench.project import contenders as declared_contenders
from bench.project import plans
from bench.project import scenarios as declared_scenarios
from bench.records import SCHEMA, Run
from bench.run.store import Journal

CONTENDERS = """
[one]
stack = "One on a server"
interface = "wsgi"
server = "tiny"
command = "serve --host {host} --port {port} --workers {workers}"
services = ["postgres"]
env = { MODE = "plain", LEVEL = "1" }
[one.switch.pool]
off = { env = { POOL = "0" } }
on = { env = { POOL = "16" } }

[one-fast]
of = "one"
stack = "One, faster"
env = { MODE = "fast" }

[floor]
stack = "The floor"
interface = "http.server"
server = "http.server"
command = "python app.py"
scenarios = ["hello"]
"""

SCENARIOS = """
[exchanges.hello]
request = "GET /"
expect = { json = { message = "Hello" } }

[exchanges.create]
request = "POST /things"
fields = { token = { hex = 8 } }
body = { name = "{token}" }
expect = { status = 201, json = { name = "{token}" } }
save = { created = "id" }

[exchanges.delete]
request = "DELETE /things/{created}"
expect = { status = 204 }
consumes = "created"

[scenarios.hello]
mix = { hello = 1 }

[scenarios.churn]
mix = { create = 2, delete = 1 }
"""

PLAN = """
reference = "one"
rounds = 2
sweeps = 2
window_s = 0.2
warm_up_s = 0.1

[[block]]
contenders = ["floor", "one", "one-fast"]
controls = ["one"]
scenarios = ["hello", "churn"]
loads = [{ kind = "closed", connections = 4 }]
"""


def make_project(
    root: Path, *, contenders: str = CONTENDERS, scenarios: str = SCENARIOS, plan: str = PLAN
) -> Path:
    """Write a project of one app into *root* and return it."""
    (root / "apps" / "one_app").mkdir(parents=True)
    (root / "apps" / "one_app" / "contenders.toml").write_text(contenders)
    (root / "apps" / "scenarios.toml").write_text(scenarios)
    (root / "plans").mkdir()
    (root / "plans" / "tiny.toml").write_text(plan)
    return root


def begun_journal(root: Path, chosen: Plan, folder: Path) -> Journal:
    """Return the journal of a run of *chosen* that has not measured anything."""
    served = plans.contenders(chosen, declared_contenders.declared(root))
    asked = plans.scenarios(chosen, declared_scenarios.declared(root))
    begun = Run(
        schema=SCHEMA,
        plan=chosen,
        runtime="fake",
        started_at="2026-11-23T04:00:00+00:00",
        fingerprint={"commit": None},
        contenders=tuple(served.values()),
        scenarios=tuple(asked.values()),
    )
    folder.mkdir()
    return Journal(begun, folder)


def tiny(project: Path, name: str = "tiny", **changes: object) -> Contender:
    """Return a contender of the app tiny_app of *project*."""
    facts = {"base": "tiny", "app": "tiny_app", "root": str(project), "stack": "Tiny", "server": "tiny"}
    return Contender(**(facts | {"name": name, "interface": "wsgi", "command": "python server.py"} | changes))
