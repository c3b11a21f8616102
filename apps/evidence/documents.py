"""API docs: does the app describe itself, rightly, and can a person read that in a browser?"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from subject import Finding, Subject

CONTRACT = Path(__file__).parents[1] / "openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
READING_MS, PATIENCE_S = 10_000, 30
SCRIPT = re.compile(r'<script[^>]* src="([^"]+)"')


def look(subject: Subject) -> Finding:
    """Hold /openapi.json against the contract and open /docs; else look whether the API itself has pages."""
    document = subject.client.get("/openapi.json")
    if not document.is_success:
        return _browsable(subject, f"GET /openapi.json: {document.status_code}")
    told, asked = _operations(document.json()), _operations(yaml.safe_load(CONTRACT.read_text()))
    page = subject.client.get("/docs")
    hosts = sorted({urlsplit(link).netloc or "the app itself" for link in SCRIPT.findall(page.text)})
    shown, how = _rendered(f"{subject.url}/docs") if page.is_success else (0, f"is {page.status_code}")
    agrees = asked <= told
    missing = f"; missing: {', '.join(sorted(asked - told))}" if not agrees else ""
    return Finding(
        outcome="yes" if agrees and shown in (None, len(told)) else "partly",
        shows=f"/openapi.json has {len(asked & told)} of the contract's {len(asked)} operations{missing}; "
        f"/docs, with scripts from {', '.join(hosts) or 'nowhere'}, {how}.",
        output=f"GET /openapi.json: {', '.join(sorted(told))}\nGET /docs: {page.status_code}, {how}",
    )


def _operations(document) -> set[str]:
    """Return `GET /users/{}`, whatever the parameter is called, of every operation."""
    return {
        f"{method.upper()} {re.sub('{.*?}', '{}', path)}"
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    }


def _rendered(url: str) -> tuple[int | None, str]:
    """Return how many operations a browser shows at *url*, None where there is no browser, and in words."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return None, "was not rendered: there is no browser here"
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}")
        command = [browser, *options, f"--virtual-time-budget={READING_MS}", "--dump-dom", url]
        reading = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
        try:
            page, _ = reading.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            return 0, f"shows nothing in a browser within {PATIENCE_S} s"
        finally:
            with suppress(ProcessLookupError):  # it has children of its own
                os.killpg(reading.pid, signal.SIGKILL)
            reading.wait()
    operations = len(re.findall(r'<div class="opblock opblock-', page))
    return operations, f"shows {operations} operations in a browser"


def _browsable(subject: Subject, output: str) -> Finding:
    """Look whether the API answers a browser with a page of its own (Django REST framework does)."""
    page = subject.client.get("/users/1", headers={"Accept": "text/html"})
    kind = page.headers.get("Content-Type", "").partition(";")[0]
    output += f"\nGET /users/1 as a browser: {page.status_code} {kind}"
    if kind != "text/html" or not page.is_success or "<form" not in page.text:
        return Finding(outcome="no", shows="It does not describe itself: no /openapi.json.", output=output)
    title = re.search(r"<title>(.*?)</title>", page.text, re.DOTALL)
    output += f", “{' '.join(title[1].split())}”" if title else ""
    shows = "No /openapi.json; every answer is a page in a browser, with a form to try it."
    return Finding(outcome="partly", shows=shows, output=output)
