"""Files that people write, and the tree that they lie in."""
