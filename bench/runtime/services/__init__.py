"""What servers need besides themselves: databases and caches."""
