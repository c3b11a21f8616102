"""Under what a run was carried out: what a reader may choose among, and must not mix without a word."""

from dataclasses import dataclass

from bench.site.submission import Submission

UNKNOWN = "unknown"  # it is older than the record of this fact
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Texts, as they stand in an address."""

    plan: str
    runtime: str
    cores: str  # of the machine
    placed: str  # how many cores the servers have, and whether others share them: "1", "1, shared"
    quota: str  # cores' worth of CPU time
    python: tuple[str, ...]  # minor versions of the contenders' environments

    @property
    def setting(self) -> tuple[str, str, str]:
        """What machines must have in common for a ratio across them."""
        return self.runtime, "shared" if "shared" in self.placed else "", self.quota.replace(UNKNOWN, NONE)


def conditions_of(run: Submission) -> Conditions:
    cores = run.facts.get("machine", {}).get("cores")
    return Conditions(
        plan=run.plan.name,
        runtime=run.runtime,
        cores=UNKNOWN if cores is None else str(cores),
        placed=_placed(run),
        quota=_quota(run),
        python=tuple(sorted({minor_of(one.python) for one in run.contenders if one.python})),
    )


def minor_of(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _placed(run: Submission) -> str:
    placement = run.facts.get("placement", {})
    server, client = placement.get("server"), placement.get("client")
    if not server:
        return UNKNOWN
    return f"{len(server)}, shared" if set(server) & set(client or ()) else str(len(server))


def _quota(run: Submission) -> str:
    limits = run.facts.get("limits", {})
    if "cpu_quota" not in limits:
        return UNKNOWN
    return NONE if limits["cpu_quota"] is None else f"{limits['cpu_quota']:g}"
