"""The page that shows everything about a data set's models, and the model card of their champion."""
