"""`train_voice`: advertised, and disabled until a voice model can be trained here."""

from worker.registry import missing

missing(
    "train_voice",
    reason="no voice-cloning model is configured on this worker: narration uses the packaged voices, "
    "or run a worker that has a voice backend",
)
