"""Training: devices, input pipeline, phases and what they write."""
