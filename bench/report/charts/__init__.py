"""Charts: as separate files and as parts of a page."""
