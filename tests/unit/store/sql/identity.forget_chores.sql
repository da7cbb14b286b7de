DELETE FROM notify.chore
