"""The check behind every figure: each job arrived at the sink exactly once."""

from collections.abc import Collection, Mapping

from benchmarks.speed.sink import Sink


class Inexact(Exception):
    """A system lost or repeated jobs, so it gets no figure."""

    def __init__(self, lost: int, twice: int, strange: int) -> None:
        super().__init__(
            f"{lost} jobs did not arrive, {twice} arrived more than once, {strange} were never requested"
        )


def compare(asked: Collection[str], counts: Mapping[str, int]) -> None:
    """Compare the requested jobs with those that arrived.

    Raises:
        Inexact: they differ.
    """
    wanted = set(asked)
    lost = len(wanted - counts.keys())
    strange = len(counts.keys() - wanted)
    twice = sum(times > 1 for times in counts.values())
    if lost or twice or strange:
        raise Inexact(lost, twice, strange)


async def check(sink: Sink, asked: Collection[str]) -> None:
    """Compare the jobs requested since the reset with those that arrived at the sink.

    Raises:
        Inexact: they differ.
    """
    compare(asked, await sink.counts())
