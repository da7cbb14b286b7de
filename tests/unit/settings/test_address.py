"""DATABASE_URL: every form that libpq or SQLAlchemy reads, and a sentence for every other."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from xnovu_poller.settings.address import read_address

PLAIN = "postgresql://worker:hush@db:5432/app"


@pytest.mark.parametrize(
    "url",
    [
        PLAIN,
        "postgres://worker@db/app",
        "postgresql://worker:h%40%2F%3F%23%25@db/app",
        "postgresql://worker:ha#sh@db/app",
        "postgresql://worker:hush@[::1]:5432/app?sslmode=verify-full&sslrootcert=/ca.pem",
        "postgresql://worker@/app?host=/var/run/postgresql",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/app",
        "postgresql://a:1,b:2,[fe80::1]:3/app?target_session_attrs=primary",
        "postgresql://worker@/app?host=a,b&port=1,2&target_session_attrs=read-write",
        "postgresql://db/app?options=-c%20geqo%3Doff",
        "postgresql:///?dbname=app&user=worker",
        "postgresql://db",
    ],
)
def test_an_address_is_read_as_libpq_reads_it(url: str) -> None:
    """With libpq's own reading as the standard."""
    assert read_address(url) == {name: str(value) for name, value in conninfo_to_dict(url).items() if value}


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://db:1,db:2/app", "db,db", "1,2"),
        ("postgresql+psycopg://u@/d?host=A:1&host=B:2", "A,B", "1,2"),
        ("postgresql://u@/d?host=A&host=B", "A,B", None),
        ("postgresql://u@/d?host=[::1]:1&host=B:2", "::1,B", "1,2"),
    ],
)
def test_of_several_hosts_the_writer_is_wanted(url: str, host: str, port: str | None) -> None:
    """Also in SQLAlchemy's spelling."""
    address = read_address(url)

    assert (address["host"], address.get("port")) == (host, port)
    assert address["target_session_attrs"] == "read-write"


def test_options_may_be_in_sqlalchemys_spelling() -> None:
    """Its blank is a +."""
    assert read_address("postgresql://db/app?options=-c+geqo%3Doff")["options"] == "-c geqo=off"


def test_a_newline_at_the_end_does_not_count() -> None:
    """A Kubernetes secret often has one."""
    assert read_address(f"{PLAIN}\n") == read_address(PLAIN)


@pytest.mark.parametrize(
    ("url", "sentences"),
    [
        ("mysql://worker:hush@db/app", ["must have the form postgresql://"]),
        ("worker:hush@db/app", ["must have the form postgresql://"]),
        ("postgresql://worker:hush@db/a\npp", ["must have the form postgresql://"]),
        ("postgresql://worker:hush@db/app/hush", ["must have the form postgresql://"]),
        ("postgresql://worker:hush@db:hush/app", ["a port from 1 to 65535"]),
        ("postgresql://worker:hush@db:99999/app", ["a port from 1 to 65535"]),
        ("postgresql://worker:hush@::1/app", ["IPv6 address in brackets"]),
        ("postgresql://worker:hu@sh@db/app", ["%40"]),
        ("postgresql://worker:hu/sh@db/app", ["%2F"]),
        ("postgresql://worker:hu?sh@db/app", ["%3F"]),
        ("postgresql://worker:hush@db/app%00", ["%00"]),
        (f"{PLAIN}?pgbouncer=true&connection_limit=1", ["pgbouncer", "connection_limit"]),
        (f"{PLAIN}?schema=public&ssl=require", ["always notify", "sslmode=require"]),
        (f"{PLAIN}?sslmod=hush", ["did you mean sslmode?"]),
        (f"{PLAIN}?hu=1", ["a parameter that PostgreSQL does not know"]),
        (
            f"{PLAIN}?sslmode=hush&target_session_attrs=hush",
            ["sslmode must be", "target_session_attrs must be"],
        ),
        (f"{PLAIN}?host=a:1&host=b:hush&schema=x", ["a port from 1 to 65535", "always notify"]),
    ],
)
def test_another_address_is_refused_with_all_its_faults(url: str, sentences: list[str]) -> None:
    """No sentence has a part of the password."""
    with pytest.raises(ValueError, match=r"\w") as raised:
        read_address(url)

    assert [sentence for sentence in sentences if sentence not in str(raised.value)] == []
    assert "hu" not in str(raised.value)
