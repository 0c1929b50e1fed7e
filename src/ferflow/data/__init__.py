"""Data: from an archive to arrays, tables and splits. Knows neither Keras nor MLflow."""
