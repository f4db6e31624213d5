"""A tiny random safety checker of Stable Diffusion, with a threshold that a test chooses."""

from __future__ import annotations

from pathlib import Path

from worker.images.loading import quiet_libraries


def safety_checker(folder: Path, *, threshold: float) -> Path:
    """Write a tiny random safety checker that flags similarities above `threshold` (-1 flags all, 1 none)."""
    import torch
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 16, "projection_dim": 8}  # fmt: skip
    with quiet_libraries():
        checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=8))
        with torch.no_grad():
            checker.concept_embeds_weights.fill_(threshold)
            checker.special_care_embeds_weights.fill_(1.0)
        checker.save_pretrained(folder, safe_serialization=True)
        CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder
