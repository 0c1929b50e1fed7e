"""The explanation of a data set: its numbers, figures and faces, and the page that ties them together."""
