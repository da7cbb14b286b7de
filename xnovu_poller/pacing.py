"""How long a failed notification rests before it is due again."""

import random
from collections.abc import Callable
from datetime import timedelta

FIRST = timedelta(seconds=10)
FACTOR = 2
LONGEST = timedelta(hours=1)


def wait(failures: int, draw: Callable[[], float] = random.random) -> timedelta:
    """Give the rest after a failure: FIRST, doubled by each further one, at most LONGEST.

    Half of it is fixed, half is drawn, so that notifications that failed together do not return
    together.

    | failures | at least | at most  |
    | -------- | -------- | -------- |
    | 1        | 5 s      | 10 s     |
    | 2        | 10 s     | 20 s     |
    | 3        | 20 s     | 40 s     |
    | 7        | 5 m 20 s | 10 m 40 s |
    | 9        | 21 m 20 s | 42 m 40 s |
    | 10       | 30 m     | 60 m     |
    | 1000     | 30 m     | 60 m     |

    Args:
        failures: counted failures so far, at least 1.
        draw: gives a number from 0 to 1.
    """
    # Past this many doublings the cap rules, and timedelta would overflow.
    doublings = min(failures - 1, 32)
    longest: timedelta = min(LONGEST, FIRST * FACTOR**doublings)
    return longest / 2 * (1 + draw())
