"""What a reader gets from a run: tables on the terminal, and a folder of pages, charts and files."""
