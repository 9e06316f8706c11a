"""What is known of a challenger beside the champion, by replay and by what was answered live."""
