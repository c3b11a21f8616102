"""What a run costs the machine, and what machine it is."""
