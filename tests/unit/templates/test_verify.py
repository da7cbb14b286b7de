import string
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mako.lexer import Lexer
from mako.template import Template

from tests.support.hostile_templates import COMMENTS, HOSTILE, PYTHON_BLOCKS, SIZES, TAGS
from xnovu_poller.errors import TemplateUnsafe
from xnovu_poller.templates import verify as wall
from xnovu_poller.templates.verify import (
    MAGIC_NAMES,
    MAX_EXPRESSION,
    MAX_EXPRESSIONS,
    MAX_SOURCE,
    Constant,
    Expression,
    Path,
    Text,
    VerifiedTemplate,
    verify,
)

Quiet = Callable[[], AbstractContextManager[None]]

FRAGMENTS = [
    *(
        "${",
        "}",
        "<%",
        "%>",
        "<%!",
        "</%",
        "%",
        "%%",
        "##",
        "\\",
        "\n",
        "\r",
        "\t",
        " ",
        '"',
        "'",
        '"""',
        "#",
    ),
    *(
        "x",
        "self",
        "context",
        "__class__",
        ".",
        "[",
        "]",
        "(",
        ")",
        "{",
        "|",
        ",",
        "or",
        "h",
        "n",
        "0",
        "é",
        "\uff3f",
    ),
    *(
        "canary()",
        "<%text>",
        "<%doc>",
        "</%doc>",
        "# coding: x\n",
        "% if x:\n",
        "% endif\n",
        "\x00",
        "\u2028",
    ),
]


def only(source: str) -> Expression:
    """Return the expression of a template that consists of just that."""
    (piece,) = verify(source).pieces
    assert isinstance(piece, Expression)
    return piece


def refusal(source: str) -> TemplateUnsafe | None:
    """Return the refusal of a template, or None; let any other error pass."""
    try:
        verify(source)
    except TemplateUnsafe as unsafe:
        return unsafe
    return None


@pytest.mark.parametrize(("source", "line", "column"), HOSTILE, ids=lambda value: ascii(value)[:60])
def test_each_hostile_template_is_refused_at_its_exact_place_and_runs_nothing(
    source: str, line: int, column: int, nothing_runs: Quiet, canary: list[str]
) -> None:
    """The author can be shown the exact place, and the audit hook sees that no code runs."""
    with nothing_runs(), pytest.raises(TemplateUnsafe) as refused:
        verify(source)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert canary == []


@pytest.mark.parametrize("source", [source for source, *_ in [*PYTHON_BLOCKS, *TAGS] if "canary" in source])
def test_the_grammar_by_itself_refuses_blocks_and_tags(source: str, nothing_runs: Quiet) -> None:
    """It does not rely on the fence in front of it: only known nodes pass."""
    with nothing_runs(), pytest.raises(TemplateUnsafe):
        tuple(wall._to_pieces(wall._lex(source)))


@pytest.mark.parametrize("source", [source for source, *_ in HOSTILE if len(source) < MAX_EXPRESSION])
def test_the_grammar_by_itself_returns_only_data(source: str, nothing_runs: Quiet, canary: list[str]) -> None:
    """Text that only the fence refuses (a magic comment, brackets round a name) is harmless without it."""
    with nothing_runs():
        try:
            pieces = tuple(wall._to_pieces(wall._lex(source)))
        except TemplateUnsafe:
            pieces = ()
    assert all(isinstance(piece, Text | Expression) for piece in pieces)
    names = [
        choice.name
        for piece in pieces
        if isinstance(piece, Expression)
        for choice in piece.choices
        if isinstance(choice, Path)
    ]
    assert not any(name in MAGIC_NAMES or name.startswith("_") for name in names)
    assert canary == []


def test_mako_itself_would_call_the_canary(canary: list[str]) -> None:
    """Mako runs code as soon as a template is constructed, so nothing else may construct a template."""
    Template("<%! canary() %>")  # noqa: S702 - the danger is the point
    assert canary == ["called"]


def test_mako_itself_would_drop_a_magic_comment() -> None:
    """A first line with "coding" would be missing from the message, so the fence refuses it."""
    assert Lexer("# coding: x\ny").parse().nodes[0].content == "y"
    with pytest.raises(TemplateUnsafe, match="a comment is not allowed"):
        verify("# coding: x\ny")


@pytest.mark.parametrize("name", sorted(MAGIC_NAMES))
def test_a_magic_name_is_refused_as_a_name_but_allowed_as_a_key(name: str) -> None:
    """Mako's names have a meaning only as names; a payload may well contain `next`."""
    with pytest.raises(TemplateUnsafe, match="this name is not allowed"):
        verify(f"${{{name}}}")
    assert only(f"${{payload.{name}}}").choices == (Path("payload", (name,)),)


@pytest.mark.parametrize(
    ("source", "choices"),
    [
        ("${x}", (Path("x", ()),)),
        ("${  x  }", (Path("x", ()),)),
        ("${payload.building.name}", (Path("payload", ("building", "name")),)),
        ("${payload['building name'].a[0][-1]}", (Path("payload", ("building name", "a", 0, -1)),)),
        ('${x["_id"]}', (Path("x", ("_id",)),)),
        ("${x['}']}", (Path("x", ("}",)),)),
        ("${x['#{|']}", (Path("x", ("#{|",)),)),
        ("${x or y.z or 'friend'}", (Path("x", ()), Path("y", ("z",)), Constant("friend"))),
        ("${''}", (Constant(""),)),
        ("${'a' 'b'}", (Constant("ab"),)),
        ("${3}", (Constant(3),)),
        ("${-2.5}", (Constant(-2.5),)),
        ("${True}", (Constant(value=True),)),
        ("${None}", (Constant(None),)),
        ("${建筑.名称}", (Path("建筑", ("名称",)),)),
        ("${\uff4eame}", (Path("name", ()),)),
    ],
)
def test_paths_constants_and_defaults_are_read_as_data(
    source: str, choices: tuple[Path | Constant, ...]
) -> None:
    """An expression consists of nothing else."""
    assert only(source).choices == choices


@pytest.mark.parametrize(
    ("source", "filters"),
    [("${x}", ()), ("${x|h}", ("h",)), ("${x | trim, u}", ("trim", "u")), ("${x | }", ())],
)
def test_filters_keep_their_order(source: str, filters: tuple[str, ...]) -> None:
    """The order matters."""
    assert only(source).filters == filters


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ("", None),
        ("100 % sure", "100 % sure"),
        ("%% of all\n  %%% of us", "% of all\n  %% of us"),
        ("one \\\nline \\\r\nonly", "one line only"),
        ("$ {x} #{y} {{z}} %{q} $x", "$ {x} #{y} {{z}} %{q} $x"),
        ("# heading\n#coding", "# heading\n#coding"),
        ("a ## b % c", "a ## b % c"),
        ("<b>%</b> < % >", "<b>%</b> < % >"),
        ("\ufeffé\r\n\t\x00", "\ufeffé\r\n\t\x00"),
    ],
)
def test_plain_text_is_read_as_by_mako(source: str, content: str | None) -> None:
    """Only `%%` and a backslash before a newline have a meaning in plain text."""
    assert verify(source).pieces == (() if content is None else (Text(content),))


def test_pieces_keep_their_order_and_lines() -> None:
    """Text that the lexer returned in several parts is joined again."""
    assert verify("a\\\nb\n${x}${y}\n%% c") == VerifiedTemplate(
        (
            Text("ab\n"),
            Expression(3, (Path("x", ()),), ()),
            Expression(3, (Path("y", ()),), ()),
            Text("\n% c"),
        )
    )


def test_the_column_counts_characters_and_not_bytes() -> None:
    """Authors look for the place in an editor."""
    with pytest.raises(TemplateUnsafe) as refused:
        verify("é ${名 or 称 or self}")
    assert (refused.value.line, refused.value.column) == (1, 15)


def test_a_path_is_written_as_in_a_template() -> None:
    """Errors show the path up to the missing key."""
    path = Path("payload", ("items", 0, "the name"))
    assert path.to_source() == "payload.items[0]['the name']"
    assert path.to_source(1) == "payload.items"


def test_the_largest_allowed_template_passes() -> None:
    """Each limit is itself allowed."""
    assert len(verify("x" * MAX_SOURCE).pieces) == 1
    assert len(verify("${x}" * MAX_EXPRESSIONS).pieces) == MAX_EXPRESSIONS
    assert verify("${x" + " " * (MAX_EXPRESSION - 4) + "}").pieces


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["\\\n", "a\\\n", "\n%%", "\n \t", '\\"', "${", '${"', "</%", "#coding:", "\U0001f600"]
)
def test_no_text_makes_the_lexer_slow(unit: str) -> None:
    """This test would time out: without the fence, Mako's patterns take quadratic time on some of these texts."""
    assert refusal((unit * MAX_SOURCE)[:MAX_SOURCE]) is None or "\n" not in unit


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
@example("${" + "x." * 249 + "}")
def test_fragments_of_the_language_are_read_or_refused_and_run_nothing(
    nothing_runs: Quiet, canary: list[str], source: str
) -> None:
    """This holds for every combination of Mako's own signs."""
    with nothing_runs():
        refused = refusal(source)
    assert refused is None or (refused.line >= 1 and refused.column >= 1)
    assert canary == []


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", "${x}", "${x.y or 'z'}", "${", "<%"]), st.text(max_size=60))
def test_any_text_is_read_or_refused(before: str, middle: str, after: str) -> None:
    """No other error is raised, with any characters."""
    source = before + middle + after
    refused = refusal(source)
    assert refused is None or 1 <= refused.line <= source.count("\n") + 1


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=string.printable + "é名\u2028\x85", max_size=80))
def test_plain_text_is_unchanged(source: str) -> None:
    """Nothing is lost and nothing is added."""
    lines = source.split("\n")
    marks = (
        ("${" in source)
        or ("<%" in source)
        or ("</%" in source)
        or ("\\\n" in source)
        or ("\\\r\n" in source)
    )
    if marks or any(line.lstrip().startswith(("%", "##")) for line in lines) or "coding" in lines[0]:
        return
    assert verify(source).pieces == ((Text(source),) if source else ())


def test_the_corpus_of_hostile_templates_is_large() -> None:
    """If the corpus shrank by accident, the tests would prove less, and nobody would notice."""
    assert len(HOSTILE) > 200
    assert COMMENTS
    assert SIZES
