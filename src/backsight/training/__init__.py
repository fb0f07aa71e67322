"""One loop, and the recipes of the built-in models."""
