"""What starts a training by itself."""
