"""Pure functions over tensors: per sample in, per sample out; the caller reduces."""
