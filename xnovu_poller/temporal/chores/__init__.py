"""The chores of the deployment: one schedule, one workflow, an activity for each chore."""
