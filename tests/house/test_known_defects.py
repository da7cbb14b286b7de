"""Failures that workers of this kind are known for, each with the tests that would have caught it here."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.house import sources

CAUGHT: Mapping[str, Sequence[str]] = {
    "a fast workflow's SENT is overwritten by its poller": (
        "tests/integration/store/notifications/test_by_hold.py::test_sent_is_the_end",
        "tests/integration/test_guards.py::test_the_lawful_moves_are_those_of_the_lifecycle",
        "tests/integration/loops/test_starter.py::test_a_start_that_arrives_after_its_release_is_late",
    ),
    "a row whose sender died stays PROCESSING for ever, for no loop looks there": (
        "tests/integration/store/notifications/test_due.py::test_every_row_has_one_owner_or_a_reason_to_have_none",
        "tests/faults/test_a_worker_is_killed_after_its_claim.py::test_another_replica_claims_it_again",
        "tests/faults/test_an_executor_is_killed_in_mid_send.py::test_its_row_is_sent_and_the_worker_starts_another_executor",
    ),
    "a row whose workflow is gone stays PROCESSING for ever": (
        "tests/faults/test_a_workflow_is_terminated_by_hand.py::test_its_row_is_claimed_again",
        "tests/integration/loops/test_rescue.py::test_a_run_that_was_terminated_by_hand_is_noticed",
    ),
    "a draft is consumed in silence, and not sent when it is published later": (
        "tests/integration/store/notifications/test_due.py::test_every_row_has_one_owner_or_a_reason_to_have_none",
        "tests/integration/test_wakeups.py::test_a_row_that_becomes_due_by_an_update_wakes",
    ),
    "rows are passed over for good, for the place in the table moved on though no workflow was started": (
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
        "tests/unit/loops/test_drain.py::test_a_call_while_it_turns_is_one_more_turn_and_never_a_second_at_once",
    ),
    "several workers take the same row": (
        "tests/integration/store/notifications/test_claim.py::test_eight_claimers_never_take_the_same_row",
        "tests/integration/test_replicas.py::test_three_replicas_share_two_thousand_rows",
    ),
    "the id of a closed workflow is used again, and all is sent once more": (
        "tests/integration/temporal/delivery/test_handoff.py::test_a_start_after_the_end_starts_nothing",
        "tests/faults/test_temporal_has_a_long_backlog.py::test_it_is_carried_out_and_no_second_workflow_is_started",
    ),
    "what was sent or withdrawn is sent again, for the sender does not look at the state": (
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
    "more bad rows than fit into a claim keep the fresh ones back": (
        "tests/integration/store/notifications/test_claim.py::test_each_loop_claims_its_own_rows",
        "tests/integration/store/notifications/test_due.py::test_a_single_row_is_claimed_beside_thousands",
    ),
    "a payload schema is kept and never looked at": (
        "tests/integration/delivery/test_dead.py::test_a_notification_that_breaks_its_schema_is_dead",
    ),
    "whoever knows a public key reads and writes every tenant's rows": (
        "tests/integration/test_tenants.py::test_a_login_without_a_role_reaches_nothing",
        "tests/integration/test_tenants.py::test_a_tenant_without_an_enterprise_sees_nothing",
        "tests/integration/test_tenants.py::test_a_tenant_sees_its_own_rows",
    ),
    "anybody who reaches the worker's port makes it send": (
        "tests/integration/web/test_server.py::test_refusals_are_json",
    ),
    "a notification uses the workflow or the template of another tenant": (
        "tests/unit/delivery/test_validate.py::test_other_workflows_are_not_found",
        "tests/integration/store/test_templates.py::test_an_enterprises_own_template_wins",
    ),
    "two tenants cannot use the same key": (
        "tests/integration/test_guards.py::test_a_key_is_unique_within_an_enterprise_and_among_global_rows",
    ),
    "a tenant's template reads the server's files": (
        "tests/unit/templates/test_verify.py::test_each_hostile_template_is_refused_where_it_offends_and_runs_nothing",
        "tests/unit/templates/test_render.py::test_no_hostile_template_is_rendered",
    ),
    "a template writes without end": (
        "tests/unit/templates/test_render.py::test_many_copies_of_a_long_value_stop_at_the_limit",
        "tests/unit/templates/test_verify.py::test_no_text_makes_the_lexer_slow",
    ),
    "a template that cannot be filled reaches people as it was written": (
        "tests/integration/delivery/test_dead.py::test_a_notification_that_cannot_fill_its_template_is_dead",
        "tests/unit/templates/test_render.py::test_what_cannot_be_filled_fails_and_never_shows_a_python_object",
    ),
    "a value becomes markup, or a second header line of a mail": (
        "tests/unit/templates/test_render.py::test_values_are_escaped_where_html_is_shown_and_the_authors_words_are_not",
        "tests/unit/templates/test_render.py::test_subjects_are_plain_on_one_line_even_in_mail",
    ),
    "a stack trace is kept with the row": (
        "tests/integration/delivery/test_silence.py::test_only_the_name_and_place_of_a_bug_are_reported",
        "tests/integration/delivery/test_silence.py::test_no_error_contains_a_value",
    ),
    "a secret stands on the command line of a child": (
        "tests/unit/test_settings.py::test_a_child_gets_our_environment_with_changes",
    ),
    "the address of Novu that was set is not the one that is called": (
        "tests/unit/novu/test_client.py::test_the_address_may_have_a_path_and_a_slash",
    ),
    "whether to speak TLS is guessed in several places": (
        "tests/unit/test_settings.py::test_what_is_set_is_read",
    ),
    "each recipient is a call of its own, all of them at once": (
        "tests/integration/delivery/test_trigger.py::test_a_hundred_different_recipients_are_a_single_call",
        "tests/unit/novu/test_client.py::test_calls_beyond_the_connections_wait_and_are_refused_unsent",
    ),
    "a limit that Novu sets is run against": (
        "tests/integration/delivery/test_trigger.py::test_a_throttled_notification_waits_as_long_as_novu_asks",
        "tests/unit/backpressure/test_gate.py::test_a_used_up_rate_limit_closes_until_its_reset",
    ),
    "a worker says that it is well while the database or Novu is away": (
        "tests/integration/web/test_server.py::test_an_unhealthy_component_makes_503",
        "tests/integration/service/test_worker.py::test_the_worker_waits_for_a_database_that_comes_later",
        "tests/integration/service/test_health.py::test_a_wrong_key_stops_the_claims_and_fails_no_row",
    ),
    "a stop cuts off what is under way": (
        "tests/integration/cli/test_worker.py::test_a_stop_finishes_the_sends_under_way_and_releases_the_rest",
        "tests/faults/test_a_worker_is_killed_while_draining.py::test_another_replica_finishes_the_sends_under_way",
    ),
    "the clock of a worker decides what is due": (
        "tests/faults/test_the_clock_of_a_worker_is_set.py::test_only_the_clock_of_the_database_counts",
    ),
    "a cron rule fires only once, for its second notification has the name of its first": (
        "tests/integration/temporal/rules/test_activities.py::test_each_firing_reads_the_row_of_its_moment",
        "tests/faults/test_a_worker_is_killed_while_a_rule_fires.py::test_twenty_firings_make_twenty_notifications",
    ),
    "a rule whose times are changed keeps its old ones beside the new": (
        "tests/integration/temporal/rules/test_reconcile.py::test_a_changed_rule_keeps_nothing_of_its_old_times",
        "tests/faults/test_a_rule_changes_between_its_firings.py::test_new_times_apply_at_once_and_the_old_times_are_gone",
    ),
    "the worker that is run in production never looks at the rules": (
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
    "a rule that is changed while rules are compared is passed over": (
        "tests/integration/temporal/rules/test_reconcile.py::test_a_rule_inserted_between_listing_and_reading_gets_its_schedule",
        "tests/unit/temporal/chores/test_keeper.py::test_many_changes_within_a_moment_make_two_requests",
    ),
    "a trigger type that nobody serves is taken and never fires": (
        "tests/integration/test_rule_guards.py::test_a_rule_of_an_event_is_refused",
    ),
    "after an outage a year of missed firings comes at once": (
        "tests/unit/temporal/rules/test_plans.py::test_a_schedule_is_built_from_its_plan",
        "tests/unit/rules/test_timing.py::test_a_cron_rule_has_its_defaults",
    ),
}
"""A failure in a sentence, and the tests that fail if it comes to this house."""


def faults(caught: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Name the failures without a test, and the tests that are not there."""
    for failure, tests in caught.items():
        if not failure.strip() or not tests:
            yield f"{failure!r} is caught by nothing"
        for test in tests:
            path, _, name = test.partition("::")
            if name not in functions(Path(path)):
                yield f"{failure!r} is caught by no {test}"


def functions(path: Path) -> set[str]:
    """Give the tests of a file; none if it is not there."""
    if path not in sources.files():
        return set()
    found = ast.walk(ast.parse(sources.text(path)))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_failure_has_its_tests() -> None:
    """A test that was renamed has to be renamed here, and one that was dropped needs a successor."""
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
def test_a_gap_would_be_seen(tests: Sequence[str]) -> None:
    """No test at all, no such function, no such file, a file alone."""
    assert len(list(faults({"it fails": tests}))) == 1
