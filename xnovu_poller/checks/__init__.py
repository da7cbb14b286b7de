"""Published templates and workflows are checked after each change, before a notification needs them."""
