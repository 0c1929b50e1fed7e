"""The page to try a registered model: a picture in, faces with their emotions out."""
