"""How much of a model's accuracy is left when its images are worse than those it was trained on."""
