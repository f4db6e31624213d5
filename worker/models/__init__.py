"""The user's model weights: what there is, whether it is safe to load, and what stays loaded between runs."""
