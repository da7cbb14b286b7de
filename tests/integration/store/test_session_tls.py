"""TLS to PostgreSQL: `sslmode=verify-full` proves the server, and each fault is a sentence."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.authorities import Authority
from tests.support.encrypted import encrypted_postgres, server_context
from tests.support.postgres import as_worker
from tests.support.rows import engine_on
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.store import schema


async def test_a_server_is_proven_or_refused(database: str, tmp_path: Path) -> None:
    """Another authority, another name, a certificate that has expired, a missing file, and a server without TLS."""
    authority = Authority(tmp_path)
    async with encrypted_postgres(database) as proxy:
        proxy.context = server_context(authority.issue("valid"), None)
        full = f"{proxy.through(as_worker(database))}?sslmode=verify-full&sslrootcert="
        async with engine_on(f"{full}{authority.certificate}") as engine:
            await schema.check(engine)

        await refuses(f"{full}{Authority(tmp_path, 'foreign').certificate}", "certificate verify failed")
        await refuses(f"{full}{tmp_path}/nowhere.pem", 'root certificate file ".*" does not exist')
        proxy.context = server_context(authority.issue("other", "db.example"), None)
        await refuses(
            f"{full}{authority.certificate}", 'certificate for "db.example" .*does not match host name'
        )
        proxy.context = server_context(authority.issue("expired", ends=timedelta(hours=-1)), None)
        await refuses(f"{full}{authority.certificate}", "certificate verify failed")
    await refuses(
        f"{as_worker(database)}?sslmode=require", "server does not support SSL, but SSL was required"
    )


async def refuses(url: str, words: str) -> None:
    """Check that no session can be opened, for this reason."""
    async with engine_on(url) as engine:
        with pytest.raises(StoreUnavailable) as caught:
            await schema.check(engine)
    assert re.search(words, str(caught.value))
