"""Every arrow between the states: one function and one statement each, which returns the state that it wrote.

`by_loops` holds the arrows whose right is a claim, `by_executors` those whose right is a hold,
`by_chunks` those of a notification that needs several calls, `by_operators` those of people. `holding`
takes the hold, `verdict` is what an executor has to write, `arrow` is what the arrows share.

Two arrows stand elsewhere: `store/identity.py` takes a copy's rows back from the original's hands, and the
database's own function `notify.retract` withdraws what nobody sends.
"""
