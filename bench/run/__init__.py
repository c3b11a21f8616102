"""Carrying out a plan, from its first second to the folder that it leaves."""
