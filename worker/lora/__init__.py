"""LoRA training on Stable Diffusion 1.5 and SDXL: from checked pictures to adapter files in two formats."""
