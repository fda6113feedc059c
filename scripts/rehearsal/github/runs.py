"""Part of the imitated GitHub."""
