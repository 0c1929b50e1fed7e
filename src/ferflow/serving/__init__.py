"""Using a trained model: pictures in, emotions out."""
