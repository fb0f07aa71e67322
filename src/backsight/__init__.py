"""Backsight."""
