"""How a goal becomes a proven plan."""
