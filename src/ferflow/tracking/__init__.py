"""Tracking: the only package that imports MLflow.

What stands in MLflow is a projection of the files that DVC keeps: it can be deleted and made again.
"""
