"""ferflow: facial-expression recognition as a reproducible pipeline.

Importing this package does nothing but define names: no folder is made, no tracking store is
opened, TensorFlow is not loaded.
"""

__version__ = "0.1.0"
