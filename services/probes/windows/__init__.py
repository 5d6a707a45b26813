"""Windows: the planned work that maintenance told of, in which alerts are held back."""
