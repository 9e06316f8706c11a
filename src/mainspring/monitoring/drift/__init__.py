"""Whether inputs and answers are distributed as in their reference."""
