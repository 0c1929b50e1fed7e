"""Readers of data-set layouts: a raw folder in, raw samples out."""
