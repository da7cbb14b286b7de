"""The API and the page of the one-machine stack keep their secrets as long as the rows."""

from pathlib import Path

from tests.support.logins import a_login, without_login
from tests.support.ports import reserved_port
from tests.support.postgres import as_worker
from xnovu_poller.dev.api import ApiServer


def test_the_password_and_the_key_last_as_long_as_the_rows(database: str, tmp_path: Path) -> None:
    """They are in files that only their owner reads; a start keeps what it finds there."""
    kept = [tmp_path / "operator-password", tmp_path / "api-key"]
    kept[0].write_text("of the last start", encoding="ascii")
    login = a_login(database, "xnovu_api")
    with reserved_port() as port:
        api = ApiServer(tmp_path, port)
        try:
            # It answers when it takes the key that was made for it.
            api.start({"DATABASE_URL": login, "TEMPORAL_ADDRESS": "127.0.0.1:1"}, as_worker(database))
        finally:
            api.stop()
            without_login(database, login)

    assert api.password == "of the last start"
    assert kept[1].stat().st_mode & 0o777 == 0o600
    api.erase()
    assert not any(file.exists() for file in kept)
