"""Read the counters of a process and its children."""

from xnovu_poller.metrics import Source


def count_done(source: Source) -> dict[str, int]:
    """Return how many notifications became SENT and DEAD, and how many attempts failed, since the start."""
    kinds = {
        "xnovu_notifications_sent": "sent",
        "xnovu_notifications_failed": "failed",
        "xnovu_notifications_dead": "dead",
    }
    done = dict.fromkeys(kinds.values(), 0)
    for family in source.collect():
        if family.name in kinds:
            counted = (each.value for each in family.samples if each.name == f"{family.name}_total")
            done[kinds[family.name]] = round(sum(counted))
    return done


def count_dead(source: Source) -> dict[str, float]:
    """Return how many notifications became DEAD since the start, by code."""
    return {
        sample.labels["code"]: sample.value
        for family in source.collect()
        if family.name == "xnovu_notifications_dead"
        for sample in family.samples
        if sample.name == f"{family.name}_total"
    }
