"""The notifications: the arrows between their states, and the reads of the loops.

Each arrow of the state diagram is one function, which checks its caller's right in the statement that writes. It
returns the state that it wrote, by id; or, if the caller goes on with the row, its new right: a claim or a hold. The
modules with arrows:

- `claim`: the claim; `claim_sql` has its statement, `due` the rows of each loop.
- `by_claim`: arrows whose right is a claim on which no send has begun.
- `hold`: the hold.
- `by_hold`: arrows whose right is a hold, including the `send_until` that the hold wrote.
- `by_chunk`: the chunks of a notification that needs several calls to Novu; the row stays PROCESSING.
- `by_operator`: retract and revive, for a person; `batches` lets them change many.
- `arrow`: the code that they share.

A person chooses notifications by `filters`; `listing` shows them, and `walk` goes through all of them.

Rows also change in three other places:

- `notify.retract`, a database function for producers (in the migrations): PENDING, FAILED or PROCESSING → RETRACTED,
  or only the request for it while an outcome is open. `by_operator` calls it too.
- `store.identity.new_deployment`: PROCESSING → PENDING, or back to FAILED, for all rows of a copy at once.
- `purge` deletes rows that ended long ago, which is no arrow.
"""
