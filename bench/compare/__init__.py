"""Whether something got slower: two revisions in one run, two runs, and many runs."""
