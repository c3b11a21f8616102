"""Charts: as files of their own and as parts of a page."""
