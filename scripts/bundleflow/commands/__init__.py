"""One module per command: its arguments and the call into the layers below."""
