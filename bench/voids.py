"""Evidence against a slice that does not look at its result: only on it is one thrown away."""

from bench.records import Sample

LATE_MS = 1.0
LATE_SHARE = 0.01


def void_of(sample: Sample) -> str | None:
    """Return why a slice counts for nothing; None where it counts.

    An open loop that sent more than 1 % of its requests over 1 ms late, though connections were free, was
    not the load that was asked for; how the server fared under it does not matter. Nor is one that lost a
    load worker, with its share of the requests.
    """
    if sample.lost_workers:
        return "a load worker was lost"
    if sample.lag is not None and sample.lag.share_above(LATE_MS) > LATE_SHARE:
        return "the load generator sent late"
    return None
