"""What people look at: Markdown, HTML and terminal text made from records."""
