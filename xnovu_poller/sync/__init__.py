"""Make Novu's workflows follow the rows of notify.ent_notification_workflow."""
