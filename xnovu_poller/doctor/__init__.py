"""Compare settings, PostgreSQL, Temporal and Novu with what they should be; change nothing.

Each file asks one server and returns a finding for each of its checks. The checks of PostgreSQL are in `store/checks/`.
"""
