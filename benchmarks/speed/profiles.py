"""Where the time goes if a target is missed: an explanation for each, printed under the table."""

from collections.abc import Mapping
from types import MappingProxyType

PROFILES: Mapping[str, str] = MappingProxyType(
    {
        "single_vs_local_activity": (
            "A row costs 20 ms of CPU: 9.4 of Temporal's server, 9.0 of the worker, 1.4 of PostgreSQL, so two cores"
            " are busy at about 100 rows/s. By py-spy, 45 % of the worker's time is Temporal's SDK, 24 % the three statements and the"
            " query for templates, 14 % the call to the sink. The reference has no rows."
        ),
        "single_vs_five_activities": "As above; the five activities cost Temporal's server and the SDK about 50 ms.",
        "group_vs_fastest_python": (
            "In groups of 100, a row costs 0.45 ms of CPU: 0.23 of the worker, whose single core is the limit, 0.12 of Temporal,"
            " 0.09 of PostgreSQL. The start, task and activity of a group cost 10 ms of the worker and 12 ms of the server, of which"
            " each row pays a hundredth. pgqueuer claims and deletes; it does not hold or render, and its rows have no guards."
        ),
        "group_vs_fastest": (
            "In groups of 500 and a single process, a row costs 0.25 ms of CPU: 0.14 of the worker, 0.07 of PostgreSQL, 0.03 of Temporal."
            " By py-spy, 37 % of the worker's time is validating and rendering, 23 % Temporal's SDK, 19 % the three statements, 17 %"
            " sending. A second process gains nothing on two cores, which the servers share."
            " graphile-worker and pg-boss need 0.1 ms and one or two transactions for hundreds of jobs."
        ),
        "claim_vs_raw": (
            "Of the server's time for 100 rows, the raw loop's UPDATE takes 0.85 ms, our UPDATE 1.8 (guard 0.4, checks 0.1, two indexes of"
            " rows in flight and an index by age 0.4), and the fair choice 1.1; the rest is the client's CPU for three statements"
            " (docs/adr/0009-flat-claims.md)."
        ),
    }
)
"""By the name of the ratio; only those of missed targets are printed."""
