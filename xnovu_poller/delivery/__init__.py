"""The delivery of a group: hold → validate → render → trigger → record.

`deliver` calls the stages in this order. For notifications that must not be sent any more, `withdraw` replaces the
call. `stages` contains what the stages share.
"""
