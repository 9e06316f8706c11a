"""The way of a challenger up, and back."""
