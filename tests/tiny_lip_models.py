"""Wav2Lip and ESRGAN weights with random numbers: they prove the code path, never the pictures.

Wav2Lip's architecture is fixed, so its file has its full 145 MB; the ESRGAN is a small RRDBNet.
"""

from __future__ import annotations

from pathlib import Path

LIP_ID, GROW_ID = "random-lips", "random-esrgan"


def random_wav2lip(folder: Path, *, seed: int = 0) -> Path:
    """Write `FOLDER/random-lips.safetensors` and return it."""
    import torch
    from safetensors.torch import save_file

    from worker.lips.network import wav2lip

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = wav2lip()
    path = folder / f"{LIP_ID}.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    return path


def random_esrgan(folder: Path, *, scale: int = 2, seed: int = 0) -> Path:
    """Write `FOLDER/random-esrgan.safetensors`, an RRDBNet of one block and 8 channels, x2 or x4, and return it.

    Small random weights, but three channels pass the picture on: what comes out resembles what went in.
    """
    import torch
    from safetensors.torch import save_file

    share = 16 // scale**2  # a x2 network folds 2 x 2 pixels into channels first
    shapes = {"conv_first": (3 * share, 8)}
    for part in ("rdb1", "rdb2", "rdb3"):
        shapes |= {f"body.0.{part}.conv{number}": (8 + 32 * (number - 1), 32) for number in range(1, 5)}
        shapes[f"body.0.{part}.conv5"] = (8 + 32 * 4, 8)
    shapes |= dict.fromkeys(("conv_body", "conv_up1", "conv_up2", "conv_hr"), (8, 8)) | {"conv_last": (8, 3)}
    random = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, (channels_in, channels) in shapes.items():
        tensors[f"{name}.weight"] = 0.01 * torch.randn(channels, channels_in, 3, 3, generator=random)
        tensors[f"{name}.bias"] = torch.zeros(channels)
    for colour in range(3):
        tensors["conv_first.weight"][colour, colour * share : (colour + 1) * share, 1, 1] += 1 / share
        for name in ("conv_up1", "conv_up2", "conv_hr", "conv_last"):
            tensors[f"{name}.weight"][colour, colour, 1, 1] += 1
    path = folder / f"{GROW_ID}.safetensors"
    save_file(tensors, path)
    return path
