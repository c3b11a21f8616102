"""What Django brings beside routes, forms and ORM, for the evidence of the report: never timed."""
