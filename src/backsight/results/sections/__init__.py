"""Sections of the report, each of which moves into the file of its result, and those that no single result has."""
