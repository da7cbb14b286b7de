import json
from pathlib import Path

from benchmarks.speed.peers.order import FILL_CHUNK, PAYLOAD_BYTES, Order

ORDER = Order(database="postgresql://user:secret@127.0.0.1/peer", sink="http://127.0.0.1:1", jobs=2500)


def test_every_payload_has_the_same_size_and_its_own_name() -> None:
    """It has 600 bytes as JSON."""
    payloads = list(ORDER.payloads())

    assert {len(json.dumps(payload)) for payload in payloads} == {PAYLOAD_BYTES}
    assert [payload["job"] for payload in payloads] == ORDER.names()
    assert len(set(ORDER.names())) == ORDER.jobs


def test_chunks_contain_all_payloads() -> None:
    """They keep the order, and none is too large."""
    chunks = list(ORDER.chunks())

    assert [len(chunk) for chunk in chunks] == [FILL_CHUNK, FILL_CHUNK, 500]
    assert [payload for chunk in chunks for payload in chunk] == list(ORDER.payloads())


def test_only_its_owner_can_read_an_order(tmp_path: Path) -> None:
    """It contains the database's password."""
    path = tmp_path / "order.json"
    ORDER.write(path)

    assert path.stat().st_mode & 0o077 == 0
    assert Order.read(path) == ORDER
