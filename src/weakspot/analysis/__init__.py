"""Statistics as plain functions of rows: no torch, one idea per file, NaN where a value is undefined."""
