"""Pictures from video diffusion, and the choice of what draws the pictures of a video."""
