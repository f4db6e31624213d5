"""`train_lora`: advertised, and disabled until a diffusion base model can be trained here."""

from worker.registry import missing

missing(
    "train_lora",
    reason="no diffusion base model is configured on this worker: videos of your pictures work without training "
    "(pass them as images), or run a worker that has a LoRA backend",
)
