"""The embedded `storyboard` backend: composed scenes with sprites, parallax and camera moves."""
