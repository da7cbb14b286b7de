"""The id of a row in a path."""

from starlette.convertors import Convertor, register_url_convertor
from typing_extensions import override


class _RowId(Convertor[int]):
    """Digits of an id. Starlette's own `int` takes any number of them, and fails at 4,300.

    What no bigint can be becomes the largest of them, which no row has.
    """

    regex = "[0-9]{1,19}"

    @override
    def convert(self, value: str) -> int:
        return min(int(value), 2**63 - 1)

    @override
    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("row_id", _RowId())


def row_id(name: str) -> str:
    """Return the part of a route that is an id, as the path parameter of this name."""
    return f"{{{name}:row_id}}"
