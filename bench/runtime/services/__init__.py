"""What servers need beside themselves: databases and caches."""
