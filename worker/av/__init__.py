"""Encoding, muxing, captions, probing and checking of media files, through PyAV."""
