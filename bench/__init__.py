"""Web frameworks measured side by side: plan → verify → rounds of paired slices → run.json → report."""
