"""The delivery of a group: hold → validate → render → trigger → record.

`deliver` conducts the stages in this order. `withdraw` takes the place of the call for what must not be sent any
more, and `stages` holds what they share.
"""
