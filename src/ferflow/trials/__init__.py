"""Hyper-parameter trials: a grid of values, one experiment of DVC's queue and one MLflow run for each."""
