"""What FastAPI brings beside routes, for the evidence of the report: never timed."""
