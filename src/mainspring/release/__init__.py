"""The release folder: sealing, signing, verifying, compilation, runtimes, catalogue."""
