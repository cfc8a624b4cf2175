"""Group-equivariant convolutions, and the wallpaper symmetry of images."""
