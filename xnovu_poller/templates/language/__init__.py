"""The language of templates: a verified part of Mako, read as data and written by functions of ours."""

from xnovu_poller.templates.language.markup import sanitize, to_plain
from xnovu_poller.templates.language.pieces import write
from xnovu_poller.templates.language.program import compile_template
from xnovu_poller.templates.language.state import Program, State
from xnovu_poller.templates.language.values import Unfit

__all__ = ["Program", "State", "Unfit", "compile_template", "sanitize", "to_plain", "write"]
