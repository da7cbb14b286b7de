"""A process runs until a signal asks it to stop."""

import asyncio
import os
import signal

from xnovu_poller.cli.signals import run_until_signal


async def test_sigterm_asks_for_a_stop() -> None:
    """What runs ends by itself; the signal ends nothing."""
    stopped = []

    async def run(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        stopped.append(True)

    try:
        await run_until_signal(run)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    assert stopped == [True]
