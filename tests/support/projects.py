"""Small projects on disk, for tests of what reads them."""

from pathlib import Path

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
