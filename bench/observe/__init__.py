"""What a run costs the machine, and which machine it is."""
