"""Score jobs as monitors see them: a sample of each job's rows, its sketches, and what is measured of it."""
