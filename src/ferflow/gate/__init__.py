"""The gate of pull requests: committed results against those of a base, from git's files alone."""
