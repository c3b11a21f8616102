"""Did it get slower? Two revisions in one run, two runs, and many."""
