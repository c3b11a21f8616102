"""The null server: right answers at very little CPU time."""
