"""No test is lost by the choice of a mode."""

from tests.support.selection import other_modes


def test_of_two_modes_one_is_left_and_of_others_all() -> None:
    """Also if a test has other parameters beside the mode."""
    kept = {"a.py::t", "a.py::t[single]", "a.py::t[x-auto]", "a.py::t[x-group]", "a.py::t[x-single]"}
    pairs = [{f"b.py::t{n}[{mode}-14]" for mode in ("single", "group")} for n in range(20)]

    left_out = other_modes(kept.union(*pairs))

    assert not left_out & kept
    assert all(len(pair & left_out) == 1 for pair in pairs)
    assert {"single", "group"} == {test.split("[")[1].split("-")[0] for test in left_out}
