"""What Flask brings beside routes, for the evidence of the report: never timed."""
