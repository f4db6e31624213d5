"""Speech onto a filmed face: Wav2Lip with the user's weights, and a mouth warp that needs none."""
