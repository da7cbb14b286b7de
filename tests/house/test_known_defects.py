"""Failures that workers of this kind are known for, each with the tests that prevent it here."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.house import sources

CAUGHT: Mapping[str, Sequence[str]] = {
    "the SENT of a fast run is overwritten by the poller": (
        "tests/integration/store/notifications/test_by_hold.py::test_sent_is_the_end",
        "tests/integration/test_guards.py::test_the_lawful_moves_are_those_of_the_lifecycle",
        "tests/integration/loops/test_starter.py::test_a_start_that_arrives_after_its_release_is_late",
    ),
    "a row whose sender died stays PROCESSING for ever, because no loop looks there": (
        "tests/integration/store/notifications/test_due.py::test_every_row_has_one_owner_or_a_reason_to_have_none",
        "tests/faults/test_a_worker_is_killed_after_its_claim.py::test_another_replica_claims_it_again",
        "tests/faults/test_an_executor_is_killed_in_mid_send.py::test_its_row_is_sent_and_the_worker_starts_another_executor",
    ),
    "a row whose run is gone stays PROCESSING for ever": (
        "tests/faults/test_a_workflow_is_terminated_by_hand.py::test_its_row_is_claimed_again",
        "tests/integration/loops/test_rescue.py::test_a_run_that_was_terminated_by_hand_is_noticed",
    ),
    "a draft is consumed in silence, and not sent when it is published later": (
        "tests/integration/store/notifications/test_due.py::test_every_row_has_one_owner_or_a_reason_to_have_none",
        "tests/integration/test_wakeups.py::test_a_row_that_becomes_due_by_an_update_wakes",
    ),
    "rows are skipped for good, because the cursor moved on although no run was started": (
        "tests/integration/loops/test_starter.py::test_a_start_that_fails_releases_its_claims_and_no_others",
        "tests/integration/service/test_worker.py::test_the_worker_waits_for_a_temporal_that_comes_later",
    ),
    "rows that waited long before a start, or were committed late, are never seen": (
        "tests/integration/store/notifications/test_due.py::test_every_row_has_one_owner_or_a_reason_to_have_none",
        "tests/integration/loops/test_wakeup.py::test_a_due_row_wakes_at_once_and_again_for_commits_that_were_late",
    ),
    "two loops take the same due row": (
        "tests/integration/store/notifications/test_due.py::test_every_row_has_one_owner_or_a_reason_to_have_none",
        "tests/integration/store/notifications/test_claim.py::test_each_loop_claims_its_own_rows",
    ),
    "a slow turn is overtaken by the next of its own loop": (
        "tests/unit/loops/test_drain.py::test_calls_during_a_turn_lead_to_exactly_one_more_turn",
    ),
    "several workers take the same row": (
        "tests/integration/store/notifications/test_claim.py::test_eight_claimers_never_take_the_same_row",
        "tests/integration/test_replicas.py::test_three_replicas_share_two_thousand_rows",
    ),
    "the id of a closed run is used again, and everything is sent again": (
        "tests/integration/temporal/delivery/test_handoff.py::test_a_start_after_the_end_starts_nothing",
        "tests/faults/test_temporal_has_a_long_backlog.py::test_it_is_carried_out_and_no_second_workflow_is_started",
    ),
    "a sent or withdrawn notification is sent again, because the sender does not check the state": (
        "tests/integration/store/notifications/test_hold.py::test_only_processing_rows_can_be_held",
        "tests/integration/delivery/test_deliver.py::test_a_late_attempt_sends_nothing_and_changes_nothing",
        "tests/integration/delivery/test_withdraw.py::test_a_withdrawn_notification_is_not_sent",
    ),
    "the retry of a partial failure reaches everybody again": (
        "tests/integration/delivery/test_trigger.py::test_after_an_error_only_the_other_chunks_are_sent",
    ),
    "a crash between the send and its record delivers twice": (
        "tests/faults/test_a_worker_is_killed_after_novu_has_accepted.py::test_the_repeat_is_dropped",
        "tests/faults/test_a_worker_is_killed_during_its_record.py::test_if_the_record_dies_too_the_next_attempt_records",
    ),
    "a row that can never be sent is tried for ever, at every poll": (
        "tests/integration/loops/test_loop.py::test_each_loop_hands_off_its_own_rows",
        "tests/integration/store/notifications/test_by_hold.py::test_the_last_failure_ends_dead",
        "tests/faults/test_a_notification_kills_its_senders.py::test_it_ends_dead_and_its_neighbours_are_sent",
    ),
    "more bad rows than fit into a claim hold up new rows": (
        "tests/integration/store/notifications/test_claim.py::test_each_loop_claims_its_own_rows",
        "tests/integration/store/notifications/test_due.py::test_a_single_row_is_claimed_beside_thousands",
    ),
    "a payload schema is stored but never checked": (
        "tests/integration/delivery/test_dead.py::test_a_notification_that_breaks_its_schema_is_dead",
    ),
    "anybody who knows a public key can read and write every tenant's rows": (
        "tests/integration/test_producers_rights.py::test_a_login_without_a_role_reaches_nothing",
        "tests/integration/test_producers_rights.py::test_a_producer_without_an_enterprise_sees_nothing",
        "tests/integration/test_producers_rights.py::test_a_producer_sees_its_own_rows",
    ),
    "anybody who reaches the worker's port can make it send": (
        "tests/integration/web/test_server.py::test_refusals_are_json",
    ),
    "a notification uses the workflow or the template of another tenant": (
        "tests/unit/delivery/test_validate.py::test_other_workflows_are_refused",
        "tests/integration/store/test_templates.py::test_an_enterprises_own_template_wins",
    ),
    "two tenants cannot use the same key": (
        "tests/integration/test_guards.py::test_a_key_is_unique_within_an_enterprise_and_among_global_rows",
    ),
    "a tenant's template reads the server's files": (
        "tests/unit/templates/test_language_hostile.py::test_each_hostile_template_is_refused_at_its_place_and_runs_nothing",
        "tests/unit/templates/test_render.py::test_no_hostile_template_is_rendered",
    ),
    "a template writes without end": (
        "tests/unit/templates/test_language_hostile.py::test_a_bomb_ends_at_its_budget",
        "tests/unit/templates/test_language_hostile.py::test_no_text_is_read_slowly",
    ),
    "a template with a missing value reaches people as raw text": (
        "tests/integration/delivery/test_dead.py::test_a_notification_that_cannot_fill_its_template_is_dead",
        "tests/unit/templates/test_render.py::test_a_missing_value_fails_and_never_shows_a_python_object",
    ),
    "a value becomes markup, or a second header line of a mail": (
        "tests/unit/templates/test_render.py::test_only_values_are_escaped_where_html_is_shown",
        "tests/unit/templates/test_render.py::test_subjects_are_plain_on_one_line_even_in_mail",
    ),
    "a stack trace is stored in the row": (
        "tests/integration/delivery/test_silence.py::test_only_the_name_and_place_of_a_bug_are_reported",
        "tests/integration/delivery/test_silence.py::test_no_error_contains_a_value",
    ),
    "a secret is on the command line of a child": (
        "tests/unit/test_settings.py::test_a_child_gets_our_environment_with_changes",
    ),
    "the worker calls another address of Novu than the configured address": (
        "tests/unit/novu/test_client.py::test_the_address_may_have_a_path_and_a_slash",
    ),
    "several places guess whether to use TLS": ("tests/unit/test_settings.py::test_what_is_set_is_read",),
    "each recipient is a call of its own, and all are made at once": (
        "tests/integration/delivery/test_trigger.py::test_a_hundred_different_recipients_are_a_single_call",
        "tests/unit/novu/test_client.py::test_calls_beyond_the_connections_wait_and_are_refused_unsent",
    ),
    "the worker ignores Novu's rate limit": (
        "tests/integration/delivery/test_trigger.py::test_a_throttled_notification_waits_as_long_as_novu_asks",
        "tests/unit/backpressure/test_gate.py::test_a_used_up_rate_limit_closes_until_its_reset",
    ),
    "a worker reports healthy while the database or Novu is down": (
        "tests/integration/web/test_server.py::test_an_unhealthy_component_makes_503",
        "tests/integration/service/test_worker.py::test_the_worker_waits_for_a_database_that_comes_later",
        "tests/integration/service/test_health.py::test_a_wrong_key_stops_the_claims_and_fails_no_row",
    ),
    "a stop cuts off sends in progress": (
        "tests/integration/cli/test_worker.py::test_a_stop_finishes_the_sends_under_way_and_releases_the_rest",
        "tests/faults/test_a_worker_is_killed_while_draining.py::test_another_replica_finishes_the_sends_under_way",
    ),
    "the clock of a worker decides which rows are due": (
        "tests/faults/test_the_clock_of_a_worker_is_set.py::test_only_the_clock_of_the_database_counts",
    ),
    "a cron rule fires only once, because its second notification has the same name as its first": (
        "tests/integration/temporal/rules/test_activities.py::test_each_firing_reads_the_row_of_its_moment",
        "tests/faults/test_a_worker_is_killed_while_a_rule_fires.py::test_twenty_firings_make_twenty_notifications",
    ),
    "a rule whose times are changed keeps its old times beside the new": (
        "tests/integration/temporal/rules/test_reconcile.py::test_a_changed_rule_keeps_nothing_of_its_old_times",
        "tests/faults/test_a_rule_changes_between_its_firings.py::test_new_times_apply_at_once_and_the_old_times_are_gone",
    ),
    "the worker in production never reads the rules": (
        "tests/integration/service/test_chore_health.py::test_rules_are_followed_at_once_and_the_chores_are_shown",
    ),
    "rules beyond a page lose their schedules": (
        "tests/integration/temporal/rules/test_reconcile.py::test_no_schedule_is_lost_beyond_a_page",
        "tests/integration/store/test_rules.py::test_every_rule_is_read_by_id",
    ),
    "the schedules of others in the namespace are deleted": (
        "tests/integration/temporal/rules/test_reconcile.py::test_schedules_that_are_not_ours_are_not_touched",
    ),
    "a deleted or a deactivated rule goes on until the next start": (
        "tests/integration/temporal/rules/test_reconcile.py::test_a_deleted_row_deletes_its_schedule_and_no_other",
        "tests/integration/temporal/rules/test_reconcile.py::test_a_rule_that_is_not_active_is_paused_and_resumed",
    ),
    "a rule that changes during the comparison of rules is skipped": (
        "tests/integration/temporal/rules/test_reconcile.py::test_a_rule_inserted_between_listing_and_reading_gets_its_schedule",
        "tests/unit/temporal/chores/test_keeper.py::test_many_changes_within_a_moment_make_two_requests",
    ),
    "a trigger type that is not implemented is accepted and never fires": (
        "tests/integration/test_rule_guards.py::test_a_rule_of_an_event_is_refused",
    ),
    "after an outage, a year of missed firings comes at once": (
        "tests/unit/temporal/rules/test_plans.py::test_a_schedule_is_built_from_its_plan",
        "tests/unit/rules/test_timing.py::test_a_cron_rule_has_its_defaults",
    ),
}
"""A failure in a sentence, and the tests that would fail if it happened here."""


def faults(caught: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the failures without a test, and the tests that do not exist."""
    for failure, tests in caught.items():
        if not failure.strip() or not tests:
            yield f"{failure!r} is caught by nothing"
        for test in tests:
            path, _, name = test.partition("::")
            if name not in functions(Path(path)):
                yield f"{failure!r} is caught by no {test}"


def functions(path: Path) -> set[str]:
    """Return the tests of a file; none if it does not exist."""
    if path not in sources.files():
        return set()
    found = ast.walk(ast.parse(sources.text(path)))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_failure_has_its_tests() -> None:
    """If you rename a test, rename it here; if you drop a test, name its successor."""
    assert list(faults(CAUGHT)) == []


@pytest.mark.parametrize(
    "tests",
    [
        (),
        ("tests/house/test_known_defects.py::test_of_nothing",),
        ("tests/house/test_nowhere.py::test_each_failure_has_its_tests",),
        ("tests/house/test_known_defects.py",),
    ],
)
def test_a_gap_is_reported(tests: Sequence[str]) -> None:
    """The gaps: no test at all, no such function, no such file, a file without a function."""
    assert len(list(faults({"it fails": tests}))) == 1
