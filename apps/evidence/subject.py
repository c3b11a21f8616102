"""What is looked at: an app that answers, and its source beside it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import httpx
from source import Lock, Source

Outcome = Literal["yes", "partly", "no", "facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe saw. `facts` is no yes or no, only what is told."""

    outcome: Outcome
    shows: str  # one sentence
    output: str  # what it rests on, as it came


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One app: where it answers, where its source is, and the modules its variant is made of."""

    url: str
    app: Path
    environment: dict[str, str]
    packages: Path | None = None  # its site-packages, where it is not in an image

    @cached_property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10, trust_env=False, verify=False)

    @cached_property
    def source(self) -> Source:
        return Source(self.app, self.environment)

    @cached_property
    def lock(self) -> Lock:
        return Lock(self.app / "requirements.txt")

    @property
    def framework(self) -> str:
        """The distribution that its app is named after, or what the variant adds to it."""
        if "rest_framework" in self.source.imports(self.source.closure()):
            return "djangorestframework"
        return self.app.name.removesuffix("_app")

    def brings(self, module: str) -> bool:
        """Return whether *module* is the framework, or was installed on its account alone or as well."""
        return self.lock.leads(self.framework, module)


def shortened(text: str, limit: int = 400) -> str:
    """Return *text* cut at *limit* characters."""
    return text if len(text) <= limit else f"{text[:limit]} …"
