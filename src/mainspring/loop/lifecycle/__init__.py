"""One run from the source to a release or a refusal, and what its stages share."""
