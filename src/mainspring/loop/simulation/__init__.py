"""What the loop would have done on a recorded stream: the same code, with a clock that is put on."""
