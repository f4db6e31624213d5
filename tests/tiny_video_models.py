"""A tiny Stable Video Diffusion folder with random weights: it proves the code path, never the pictures.

Architecture: FEASIBILITY-ML section 1, the VAE with four levels (true 8x). 64 px, 4 frames, 2 steps take under a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

CONTEXT_DIM = 32
SIDE_LATENT_PX = 8  # the model's native size is 64 x 64 px
FRAMES = 4


def tiny_svd(folder: Path, *, seed: int = 0) -> Path:
    """Write a `StableVideoDiffusionPipeline` folder and return it; the same seed gives the same weights."""
    pipeline = svd_pipeline(seed=seed)
    pipeline.save_pretrained(folder, safe_serialization=True)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # the library writes weights with mode 0600
    return folder


def svd_pipeline(*, seed: int = 0, full: bool = False) -> Any:
    """Return a pipeline with random weights, tiny or of the size of SVD-XT (2.3 billion parameters)."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableVideoDiffusionPipeline
    from transformers import CLIPImageProcessor

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return StableVideoDiffusionPipeline(
            unet=_unet(full=full),
            vae=_vae(full=full),
            image_encoder=_image_encoder(full=full),
            feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
            scheduler=EulerDiscreteScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                interpolation_type="linear",
                prediction_type="v_prediction",
                timestep_spacing="leading",
                timestep_type="continuous",
                steps_offset=1,
                sigma_min=0.002,
                sigma_max=700.0,
                use_karras_sigmas=True,
            ),
        )


def _unet(*, full: bool) -> Any:
    from diffusers import UNetSpatioTemporalConditionModel

    if full:  # the defaults of the class are those of SVD-XT
        return UNetSpatioTemporalConditionModel(sample_size=96, num_frames=25)
    return UNetSpatioTemporalConditionModel(
        sample_size=SIDE_LATENT_PX,
        num_frames=FRAMES,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        layers_per_block=1,
        cross_attention_dim=CONTEXT_DIM,
        num_attention_heads=8,
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=96,
    )


def _vae(*, full: bool) -> Any:
    import diffusers

    return diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=(128, 256, 512, 512) if full else (32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        layers_per_block=2 if full else 1,
        latent_channels=4,
        sample_size=768 if full else 64,
        scaling_factor=0.18215,
        force_upcast=True,
    )


def _image_encoder(*, full: bool) -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    if full:
        size = CLIPVisionConfig(
            hidden_size=1280, intermediate_size=5120, projection_dim=1024, num_hidden_layers=32,
            num_attention_heads=16, image_size=224, patch_size=14, hidden_act="gelu",
        )  # fmt: skip
    else:
        size = CLIPVisionConfig(
            hidden_size=CONTEXT_DIM, intermediate_size=37, projection_dim=CONTEXT_DIM, num_hidden_layers=2,
            num_attention_heads=4, image_size=224, patch_size=32,
        )  # fmt: skip
    return CLIPVisionModelWithProjection(size)
