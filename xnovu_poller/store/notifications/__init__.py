"""The notifications: the arrows between their states, and the reads of the loops.

Each arrow of the state diagram is one function and one statement, which checks its caller's right and
returns what it wrote. The arrows stand here:

- `claim`: the claim itself; `claim_sql` writes its statement, `due` has which rows it may take.
- `by_claim`: arrows whose right is a claim on which no send has begun.
- `by_hold`: arrows whose right is a hold, including the very `send_until` that it wrote.
- `by_chunk`: records of a notification that needs several calls to Novu; the row stays PROCESSING.
- `by_operator`: revive, for a person.
- `hold`: the hold itself, the sole right to send. `arrow` is what they share.

Three more places move a row:

- `notify.retract`, a function of the database that a producer calls (in the migrations): PENDING, FAILED or
  PROCESSING → RETRACTED, or only the request for it while an outcome is open.
- `store.identity.new_deployment`: PROCESSING → PENDING, or FAILED where it came from, for all rows of a copy at once.
- `purge` deletes rows that have ended, which is no arrow.
"""
