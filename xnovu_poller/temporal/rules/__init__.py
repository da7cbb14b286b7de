"""The rules in Temporal: schedules that follow the rows, and the run of a firing."""
