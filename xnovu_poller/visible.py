"""Show a tenant's text so that no terminal and no browser obeys it."""

import json


def make_visible(text: str, kept: str = "") -> str:
    """Escape unprintable characters, such as those that turn the direction of writing, as JSON does.

    Args:
        kept: unprintable characters that stay, such as the line break.
    """
    return "".join(
        character if character.isprintable() or character in kept else json.dumps(character)[1:-1]
        for character in text
    )
