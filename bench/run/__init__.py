"""Run a plan, from its first second to the finished run folder."""
