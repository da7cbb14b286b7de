"""The story of a notification: what became of it, why, and what comes next, out of PostgreSQL, Temporal and Novu."""

from xnovu_poller.story.read import Sources, compose_story, read_story
from xnovu_poller.story.story import Line, Next, Source, Story

__all__ = ["Line", "Next", "Source", "Sources", "Story", "compose_story", "read_story"]
