"""How packages are installed: locks of all tools, projects without a lock, code of the user's own."""
