"""The workspace's own API modules; each has `routes(services)`."""
