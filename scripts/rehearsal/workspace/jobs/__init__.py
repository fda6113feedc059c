"""The Jobs API of the local workspace, and the engine that runs jobs."""
