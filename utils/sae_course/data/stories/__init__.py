"""Children's stories from a grammar, with the truth of every token."""
