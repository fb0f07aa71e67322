"""The positional experiment: models that differ in their positional encoding, examined and compared."""
