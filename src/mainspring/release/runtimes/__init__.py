"""What answers for a release: its compiled model here, or the original in a process of its own."""
