"""Figures that the README quotes, each measured by one module here: `make bench`."""
