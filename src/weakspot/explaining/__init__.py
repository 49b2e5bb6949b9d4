"""What `explain` measures and how it is stored."""
