"""Reports of a run: tables on the terminal, and a folder of pages, charts and files."""
