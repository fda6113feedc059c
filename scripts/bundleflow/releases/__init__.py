"""Plan, digest, evidence, gate, deploy, release pull request."""
