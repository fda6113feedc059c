"""The doctor: checks a repository, its settings on GitHub and its workspace for what stops a deployment, and changes nothing."""
