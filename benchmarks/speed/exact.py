"""The count that makes a figure worth writing down: every job came to the sink, and none came twice."""

from collections.abc import Collection, Mapping

from benchmarks.speed.sink import Sink


class Inexact(Exception):
    """A system lost jobs, or did some twice; its figure is none."""

    def __init__(self, lost: int, twice: int, strange: int) -> None:
        super().__init__(
            f"{lost} jobs did not come, {twice} came more than once, {strange} were never asked for"
        )


def compare(asked: Collection[str], counts: Mapping[str, int]) -> None:
    """Compare what was asked for with what came.

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
    """Compare what was asked for since the reset with what came to the sink.

    Raises:
        Inexact: they differ.
    """
    compare(asked, await sink.counts())
