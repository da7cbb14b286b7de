"""The keys of the API: make, list and revoke them, and admit requests that show them.

A key is `xnovu_PREFIX_SECRET`. The secret has 256 random bits, so SHA-256 protects it: nobody can try all of them, which is what
slow hashes are for, and a slow hash would cost each request what it costs an attacker.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire, query


class Scope(StrEnum):
    """What a key may do."""

    SEND = "send"
    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the database knows it."""

    prefix: str
    enterprise_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


_PREFIX_BYTES, _SECRET_BYTES = 6, 32
_FORM = re.compile(r"xnovu_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)

_CREATE = text("""
    INSERT INTO notify.api_key (prefix, hash, enterprise_id, name, scopes, expires_at)
    SELECT :prefix, :hash, :enterprise_id, :name, :scopes, CAST(:expires_at AS timestamptz)
    WHERE CAST(:expires_at AS timestamptz) > clock_timestamp() OR CAST(:expires_at AS timestamptz) IS NULL""")


async def create(
    engine: Engine, enterprise_id: str, name: str, scopes: Sequence[Scope], expires_at: datetime | None
) -> str | None:
    """Make a key and return it; it is kept nowhere. None: `expires_at` has passed already, so none was made.

    Raises:
        StoreUnavailable: it may have been made, but nobody knows it.
    """
    prefix, secret = secrets.token_hex(_PREFIX_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    values = {
        "prefix": prefix,
        "hash": _hash(secret),
        "enterprise_id": enterprise_id,
        "name": name,
        "scopes": list(scopes),
        "expires_at": expires_at,
    }
    async with acquire(engine) as connection:
        made = (await connection.execute(_CREATE, values)).rowcount
    return f"xnovu_{prefix}_{secret}" if made else None


_LIST = text("""
    SELECT k.prefix, k.enterprise_id, k.name, k.scopes, k.created_at, k.created_by,
        CASE WHEN k.expires_at < '9000-01-01Z' THEN k.expires_at END AS expires_at, k.last_used_at, k.revoked_at
    FROM notify.api_key k WHERE CAST(:enterprise_id AS text) IS NULL OR k.enterprise_id = :enterprise_id
    ORDER BY k.id""")


async def list_all(engine: Engine, enterprise_id: str | None = None) -> list[ApiKey]:
    """Return the keys, the oldest first; of an enterprise, or all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_LIST, {"enterprise_id": enterprise_id})
        return [
            ApiKey(**{**row, "scopes": tuple(map(Scope, row["scopes"]))})
            for row in map(dict, rows.mappings())
        ]


_REVOKE = text("""
    UPDATE notify.api_key SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE prefix = :prefix
    RETURNING enterprise_id""")


async def revoke(engine: Engine, prefix: str) -> str | None:
    """Revoke a key from now on, and return its enterprise; None: there is no such key.

    Raises:
        StoreUnavailable: it may not be revoked.
    """
    async with acquire(engine) as connection:
        return await connection.scalar(_REVOKE, {"prefix": prefix})  # type: ignore[no-any-return] # a column of text


def prefix_of(key: str) -> str:
    """Return the prefix of a key, or of what begins like one; other texts are returned as they are."""
    return key.removeprefix("xnovu_").partition("_")[0]


@dataclass(frozen=True, slots=True)
class Rates:
    """How many requests a second are admitted.

    Attributes:
        burst_seconds: a bucket holds the requests of this many seconds.
    """

    key: float
    address: float
    wrong_keys: float
    burst_seconds: float


class Refusal(StrEnum):
    """Why a request is not admitted."""

    KEY = "key"
    """No such key, or it has expired, or is revoked."""
    RATE = "rate"
    """The bucket of the key is empty."""
    ADDRESS = "address"
    """The bucket of the address is empty."""
    WRONG = "wrong"
    """No such key either, and the bucket of the wrong keys of the address is empty."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a request that shows a key.

    Attributes:
        refusal: None if it may go on; then the key has the other attributes.
        left_over: tokens that its bucket has left; below zero, so much of a token is missing.
    """

    refusal: Refusal | None
    left_over: float
    key_id: int
    enterprise_id: str
    scopes: frozenset[Scope]


_ADMIT = text("""
    SELECT a.refusal, a.left_over, a.key_id, a.enterprise_id, a.scopes
    FROM notify.admit_request(:prefix, :hash, :address, :key_rate, :address_rate, :wrong_rate, :burst_seconds) a""")


def read_key(shown: str) -> tuple[str, bytes] | None:
    """Return the prefix of a key and the hash of its secret; None if the text has not the form of a key."""
    found = _FORM.fullmatch(shown)
    return None if found is None else (found[1], _hash(found[2]))


async def admit(engine: Engine, key: tuple[str, bytes], address: str, rates: Rates) -> Admission:
    """Find a key, and take a token of its bucket and of that of the address.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    prefix, hashed = key
    values: dict[str, Any] = {
        "prefix": prefix,
        "hash": hashed,
        "address": address,
        "key_rate": rates.key,
        "address_rate": rates.address,
        "wrong_rate": rates.wrong_keys,
        "burst_seconds": rates.burst_seconds,
    }
    (row,) = await query(engine, _ADMIT, values)
    return Admission(
        None if row.refusal is None else Refusal(row.refusal),
        row.left_over,
        row.key_id or 0,
        row.enterprise_id or "",
        frozenset(map(Scope, row.scopes or ())),
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
