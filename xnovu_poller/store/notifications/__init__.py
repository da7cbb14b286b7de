"""Every arrow between the states, one function and one statement each.

`by_loops` holds the arrows whose right is a claim, `by_executors` those whose right is a hold,
`by_chunks` those of a
notification that needs several calls. `holding` is the hold itself, `arrow` the form they share.
"""
