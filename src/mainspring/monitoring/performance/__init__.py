"""How good the answers are: by labels, by estimate, between slices, in the business."""
