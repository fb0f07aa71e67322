"""Pure functions of arrays, tables and tensors; none knows a model."""
