"""Stories that a rehearsal plays, as data."""
