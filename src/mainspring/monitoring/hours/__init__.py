"""Sketches and samples of every hour of the prediction log, and the windows made of them."""
