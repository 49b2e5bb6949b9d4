"""What a model's surroundings look like: features before the last layer, maps of them, surfaces, divergence."""
