"""Whether the truth still follows the inputs as it did."""
