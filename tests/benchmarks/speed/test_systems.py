from benchmarks.speed.results import Spread
from benchmarks.speed.systems import systems


def found(**medians: float) -> dict[str, Spread]:
    """Return figures of a single round."""
    return {name: Spread(value, value, value, 1) for name, value in medians.items()}


def test_our_systems_come_first_then_the_peers_by_speed() -> None:
    """The references are last."""
    shown = systems(
        found(
            bare_workflow_jobs_s=80,
            procrastinate_jobs_s=400,
            graphile_worker_jobs_s=9000,
            single_rows_s=60,
            group100_rows_s=4000,
        )
    )

    assert [system.label for system in shown] == [
        "xnovu-poller, groups of 100",
        "xnovu-poller, one workflow a row",
        "graphile-worker",
        "procrastinate",
        "bare workflow, no POST",
    ]


def test_each_combination_of_the_sweep_is_a_system() -> None:
    """Its name has the group size, and the number of processes if there are several."""
    shown = systems(found(sweep_250x1_rows_s=2, sweep_500x2_rows_s=1))

    assert [system.label for system in shown] == [
        "xnovu-poller, groups of 250",
        "xnovu-poller, groups of 500, 2 processes",
    ]
