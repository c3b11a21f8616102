"""Files that people write, and the tree that holds them."""
