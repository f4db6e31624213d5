"""The embedded `viseme_warp` backend: a portrait that speaks."""
