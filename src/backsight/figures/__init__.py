"""Figures of summaries, each of which moves into the file of its result."""
