"""The only package that imports transformers."""
