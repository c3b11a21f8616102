"""The null server: right answers for hardly any CPU."""
