"""Evaluation: metrics and figures from the predictions table. Knows neither Keras nor MLflow."""
