"""A campaign of blind multiple annotation: opened, watched, synchronised, measured, adjudicated, closed."""
