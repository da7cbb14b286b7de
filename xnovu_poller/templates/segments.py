"""How many segments a text message needs: an operator sends, and bills, each by itself.

Source: 3GPP TS 23.038, 6.2.1 (the alphabet), TS 23.040, 9.2.3.24.1 (the header of a part of a longer message).
"""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")

_SEPTETS, _SEPTETS_OF_A_PART = 160, 153
_UNITS, _UNITS_OF_A_PART = 70, 67


def count_segments(text: str) -> int:
    """Return how many segments a text needs: in GSM-7 if all its characters are there, else in UCS-2."""
    if _BASIC.issuperset(text):
        return _divide(len(text), _SEPTETS, _SEPTETS_OF_A_PART)
    if (_BASIC | _EXTENDED).issuperset(text):
        # An escape goes before each of the further characters.
        septets = len(text) + sum(character in _EXTENDED for character in text)
        return _divide(septets, _SEPTETS, _SEPTETS_OF_A_PART)
    return _divide(len(text.encode("utf-16-le", "surrogatepass")) // 2, _UNITS, _UNITS_OF_A_PART)


def _divide(length: int, single: int, part: int) -> int:
    return 1 if length <= single else -(-length // part)
