"""Lattice and unit cell of an image, and how well each symmetry operation holds; torch functions."""
