"""The delivery of a group: hold → validate → render → trigger → record.

`deliver` walks the stages in this order; `validate`, `render` and `trigger` are the stages that need
a room of their own.
"""
