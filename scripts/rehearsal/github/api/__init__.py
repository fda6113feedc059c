"""The REST API: endpoints by area, over the operations of the imitated GitHub."""
