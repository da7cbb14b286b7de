import json
from pathlib import Path

from benchmarks.speed.peers.order import FILL_CHUNK, PAYLOAD_BYTES, Order

ORDER = Order(database="postgresql://user:secret@127.0.0.1/peer", sink="http://127.0.0.1:1", jobs=2500)


def test_every_payload_has_its_size_and_its_name() -> None:
    """600 bytes as JSON, and no two jobs share a name."""
    payloads = list(ORDER.payloads())

    assert {len(json.dumps(payload)) for payload in payloads} == {PAYLOAD_BYTES}
    assert [payload["job"] for payload in payloads] == ORDER.names()
    assert len(set(ORDER.names())) == ORDER.jobs


def test_chunks_hold_all_payloads() -> None:
    """In their order, none larger than it may be."""
    chunks = list(ORDER.chunks())

    assert [len(chunk) for chunk in chunks] == [FILL_CHUNK, FILL_CHUNK, 500]
    assert [payload for chunk in chunks for payload in chunk] == list(ORDER.payloads())


def test_an_order_is_for_our_eyes_alone(tmp_path: Path) -> None:
    """It holds the database's password, and reads as it was written."""
    path = tmp_path / "order.json"
    ORDER.write(path)

    assert path.stat().st_mode & 0o077 == 0
    assert Order.read(path) == ORDER
