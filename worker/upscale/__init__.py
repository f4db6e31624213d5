"""Larger pictures by Real-ESRGAN: packaged networks on the CPU, or the user's weights."""
