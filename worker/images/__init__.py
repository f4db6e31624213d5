"""Pictures from words: diffusion models, a ComfyUI server, or the embedded scene composer."""
