"""Packaged experiments: one file each, with its measured result in its head."""
