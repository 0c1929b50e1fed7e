"""What is asked of a trained network itself: what it looks at, what it costs, how it is built."""
