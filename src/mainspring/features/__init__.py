"""Feature views: the same features in training and in the answer, right in time."""
