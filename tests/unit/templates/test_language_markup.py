from time import thread_time

import pytest

from tests.support.filling import fill
from xnovu_poller.errors import TemplateFailed, TemplateUnsafe
from xnovu_poller.templates.language import Unfit, compile_template, sanitize, to_plain


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        (
            "**a** [b](https://b.example)",
            '<p><strong>a</strong> <a href="https://b.example">b</a></p>',
        ),
        ("x <b onclick=y>z</b> <script>a</script>", "<p>x z a</p>"),
        ("[x](javascript:canary) ![y](https://pixel.example)", '<p><a href="">x</a> </p>'),
    ],
)
def test_markdown_makes_only_harmless_html(markdown: str, html: str) -> None:
    """Anybody may have written the value."""
    assert fill("${x | markdown}", {"x": markdown}, html=True) == html


def test_only_a_trusted_template_may_leave_values_unescaped() -> None:
    """And its whole text is cleaned afterwards."""
    with pytest.raises(TemplateUnsafe, match="n is allowed only in a trusted template"):
        compile_template("${x | n}", html=True)
    with pytest.raises(TemplateUnsafe, match="h escapes and n does not"):
        compile_template("${x | h, n}", html=True, trusted=True)
    compile_template("${x | n}", html=True, trusted=True)
    dirty = '<p style="color: red" onclick="x">a<script>b</script><img src="javascript:c"></p><form>d</form>'
    assert sanitize(dirty) == '<p style="color: red">a<img></p>d'


def test_a_filter_that_makes_html_stands_last() -> None:
    """Another filter could cut a tag."""
    with pytest.raises(TemplateUnsafe, match="markdown makes HTML; write it last"):
        compile_template("${x | markdown, truncate(3)}", html=True)
    assert fill("${x | upper, nl2br}", {"x": "<a>\nb"}, html=True) == "&lt;A&gt;<br>\nB"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>A</h1>\n<p>b<br>c &amp; d</p>", "A\n\nb\nc & d"),
        ("<ul>\n<li>a</li>\n<li>b</li></ul>", "- a\n- b"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n\n3"),
        ("<style>p {}</style><!-- x --><title>t</title>y<script>z</script>", "y"),
        (
            "<a href='mailto:a@b.example'>a@b.example</a> <A HREF=https://c.example>c</A>",
            "a@b.example c (https://c.example)",
        ),
        ("<a href='javascript:x'>d</a> 1 < 2", "d 1 < 2"),
        (f"&#{'9' * 5_000};&#x41;&lt;", "\ufffdA<"),
    ],
)
def test_html_becomes_readable_text(html: str, text: str) -> None:
    """It is the alternative of a mail for readers without HTML."""
    assert to_plain(html) == text


@pytest.mark.parametrize(
    "unit", ["<a href=http:x ", "href=http:x ", "<a href=http:x></a>", "<!--", "</script ", "&a", "<", "<p "]
)
def test_no_html_is_read_slowly(unit: str) -> None:
    """The text of a mail is made outside of the budgets, because its time is linear."""
    before = thread_time()
    to_plain("<a " + unit * (100_000 // len(unit)) + "</a>")
    assert thread_time() - before < 1


def test_html_that_is_cleaned_is_not_deep() -> None:
    """The parser looks through all open tags at each further one: 5 seconds for 160 KB of `<div>`."""
    assert sanitize("<p><li><br>" * 300)
    assert sanitize("<div></div>" * 300)
    with pytest.raises(Unfit, match="more than 200 tags"):
        sanitize("</p><DIV>" * 201)
    with pytest.raises(TemplateFailed, match="line 1: more than 200 tags"):
        fill("${x | markdown}", {"x": "> " * 201 + "a"}, html=True)
