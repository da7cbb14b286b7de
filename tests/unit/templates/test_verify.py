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
    """Read a template that is one expression."""
    (piece,) = verify(source).pieces
    assert isinstance(piece, Expression)
    return piece


def refusal(source: str) -> TemplateUnsafe | None:
    """Give the refusal of a template, if it is refused; any other error comes out."""
    try:
        verify(source)
    except TemplateUnsafe as unsafe:
        return unsafe
    return None


@pytest.mark.parametrize(("source", "line", "column"), HOSTILE, ids=lambda value: ascii(value)[:60])
def test_each_hostile_template_is_refused_where_it_offends_and_runs_nothing(
    source: str, line: int, column: int, nothing_runs: Quiet, canary: list[str]
) -> None:
    """The place is exact, so that an author can be shown it; the audit hook saw no code run."""
    with nothing_runs(), pytest.raises(TemplateUnsafe) as refused:
        verify(source)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert canary == []


@pytest.mark.parametrize("source", [source for source, *_ in [*PYTHON_BLOCKS, *TAGS] if "canary" in source])
def test_the_grammar_alone_refuses_blocks_and_tags(source: str, nothing_runs: Quiet) -> None:
    """The second wall does not lean on the first: a node that is not on the list does not pass."""
    with nothing_runs(), pytest.raises(TemplateUnsafe):
        tuple(wall._to_pieces(wall._lex(source)))


@pytest.mark.parametrize("source", [source for source, *_ in HOSTILE if len(source) < MAX_EXPRESSION])
def test_the_grammar_alone_lets_out_nothing_but_data(
    source: str, nothing_runs: Quiet, canary: list[str]
) -> None:
    """What only the fence refuses (a magic comment, brackets round a name) is harmless without it."""
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


def test_the_canary_sings_where_mako_itself_is_given_a_hostile_text(canary: list[str]) -> None:
    """Mako runs code as soon as a template is constructed, which is why nothing else may construct one."""
    Template("<%! canary() %>")  # noqa: S702 - the danger is the point
    assert canary == ["called"]


def test_mako_without_the_fence_swallows_what_it_calls_a_magic_comment() -> None:
    """A first line about coding would vanish from what is sent, so it is refused."""
    assert Lexer("# coding: x\ny").parse().nodes[0].content == "y"
    with pytest.raises(TemplateUnsafe, match="a comment is not allowed"):
        verify("# coding: x\ny")


@pytest.mark.parametrize("name", sorted(MAGIC_NAMES))
def test_a_magic_name_is_refused_as_a_name_and_free_as_a_key(name: str) -> None:
    """Mako's names mean something only where a name is looked up; a payload may well hold `next`."""
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
    """All that an expression can be."""
    assert only(source).choices == choices


@pytest.mark.parametrize(
    ("source", "filters"),
    [("${x}", ()), ("${x|h}", ("h",)), ("${x | trim, u}", ("trim", "u")), ("${x | }", ())],
)
def test_known_filters_are_kept_in_order(source: str, filters: tuple[str, ...]) -> None:
    """The order is the author's, for it matters."""
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
def test_text_stays_as_mako_has_it(source: str, content: str | None) -> None:
    """Only `%%` and a backslash before a newline mean anything in plain text."""
    assert verify(source).pieces == (() if content is None else (Text(content),))


def test_pieces_keep_their_order_and_lines() -> None:
    """Text that the lexer found in several runs is one piece again."""
    assert verify("a\\\nb\n${x}${y}\n%% c") == VerifiedTemplate(
        (
            Text("ab\n"),
            Expression(3, (Path("x", ()),), ()),
            Expression(3, (Path("y", ()),), ()),
            Text("\n% c"),
        )
    )


def test_the_column_counts_characters_where_python_counts_bytes() -> None:
    """An author looks for the place in an editor."""
    with pytest.raises(TemplateUnsafe) as refused:
        verify("é ${名 or 称 or self}")
    assert (refused.value.line, refused.value.column) == (1, 15)


def test_a_path_is_spelled_as_its_author_would() -> None:
    """Errors name the path as far as it was walked."""
    path = Path("payload", ("items", 0, "the name"))
    assert path.to_source() == "payload.items[0]['the name']"
    assert path.to_source(1) == "payload.items"


def test_the_largest_lawful_template_passes() -> None:
    """The limits are what is allowed, not the first that is refused."""
    assert len(verify("x" * MAX_SOURCE).pieces) == 1
    assert len(verify("${x}" * MAX_EXPRESSIONS).pieces) == MAX_EXPRESSIONS
    assert verify("${x" + " " * (MAX_EXPRESSION - 4) + "}").pieces


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["\\\n", "a\\\n", "\n%%", "\n \t", '\\"', "${", '${"', "</%", "#coding:", "\U0001f600"]
)
def test_no_text_makes_the_lexer_slow(unit: str) -> None:
    """The time limit fails it: without the fence Mako's patterns are quadratic in some of these."""
    assert refusal((unit * MAX_SOURCE)[:MAX_SOURCE]) is None or "\n" not in unit


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
@example("${" + "x." * 249 + "}")
def test_shards_of_the_language_are_read_or_refused_and_run_nothing(
    nothing_runs: Quiet, canary: list[str], source: str
) -> None:
    """Whatever is put together of Mako's own signs, there is no third way."""
    with nothing_runs():
        refused = refusal(source)
    assert refused is None or (refused.line >= 1 and refused.column >= 1)
    assert canary == []


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", "${x}", "${x.y or 'z'}", "${", "<%"]), st.text(max_size=60))
def test_any_text_at_all_is_read_or_refused(before: str, middle: str, after: str) -> None:
    """No other error comes out, whatever characters there are."""
    source = before + middle + after
    refused = refusal(source)
    assert refused is None or 1 <= refused.line <= source.count("\n") + 1


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=string.printable + "é名\u2028\x85", max_size=80))
def test_a_text_without_any_sign_of_the_language_is_itself(source: str) -> None:
    """Nothing is swallowed and nothing is added."""
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


def test_the_corpus_is_large_and_has_every_kind() -> None:
    """A corpus that shrinks by accident would prove less without anybody seeing it."""
    assert len(HOSTILE) > 200
    assert COMMENTS
    assert SIZES
