"""The Wav2Lip generator: speech and a face in, the same face saying it out. Knows no files, no pictures, no weights.

Source: Prajwal et al., "A Lip Sync Expert Is All You Need for Speech to Lip Generation In The Wild" (2020). Layer sizes
and parameter names are those of the published checkpoints, so that a user's weights load: 36.3 million parameters in
352 entries. The checkpoints are for research and non-commercial use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

FACE_PX = 96
MELS, MEL_STEPS = 80, 16
ENTRIES = 352
SIZE_GIB = 0.3  # weights and the activations of one batch

Stride = int | tuple[int, int]
Layer = tuple[int, Stride, int]  # kernel, stride, padding

# Channels in and out, first layer, residual layers after it. Sides: 96, 48, 24, 12, 6, 3, 1 px.
FACE_ENCODER: tuple[tuple[int, int, Layer, int], ...] = (
    (6, 16, (7, 1, 3), 0),
    (16, 32, (3, 2, 1), 2),
    (32, 64, (3, 2, 1), 3),
    (64, 128, (3, 2, 1), 2),
    (128, 256, (3, 2, 1), 2),
    (256, 512, (3, 2, 1), 1),
)
AUDIO_ENCODER: tuple[tuple[int, int, Layer, int], ...] = (
    (1, 32, (3, 1, 1), 2),
    (32, 64, (3, (3, 1), 1), 2),
    (64, 128, (3, 3, 1), 2),
    (128, 256, (3, (3, 2), 1), 1),
    (256, 512, (3, 1, 0), 0),
    (512, 512, (1, 1, 0), 0),
)
# Channels in (with the encoder's of that size), channels out, stride, padding, residual layers. Sides: 3 .. 96 px.
FACE_DECODER = (
    (1024, 512, 1, 0, 1),
    (1024, 512, 2, 1, 2),
    (768, 384, 2, 1, 2),
    (512, 256, 2, 1, 2),
    (320, 128, 2, 1, 2),
    (160, 64, 2, 1, 2),
)


def wav2lip() -> nn.Module:
    """Build the generator with fresh weights, in evaluation mode.

    Call it with mel float32 [B, 1, 80, 16] in [-4, 4] and faces float32 [B, 6, 96, 96] in [0, 1]: channels 0-2 the face
    with its lower half black, 3-5 a whole face of the same person, both BGR. It returns float32 [B, 3, 96, 96].
    """
    import torch
    from torch import nn

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            encoder = [nn.Sequential(*_stage(*stage)) for stage in FACE_ENCODER]
            encoder.append(nn.Sequential(_block(512, 512, (3, 1, 0)), _block(512, 512, (1, 1, 0))))
            self.face_encoder_blocks = nn.ModuleList(encoder)
            self.audio_encoder = nn.Sequential(*(layer for stage in AUDIO_ENCODER for layer in _stage(*stage)))
            decoder = [nn.Sequential(_block(512, 512, (1, 1, 0)))]
            for channels_in, channels, stride, padding, residuals in FACE_DECODER:
                grown = _block(channels_in, channels, (3, stride, padding), transposed=True)
                decoder.append(nn.Sequential(grown, *_residuals(channels, residuals)))
            self.face_decoder_blocks = nn.ModuleList(decoder)
            self.output_block = nn.Sequential(_block(80, 32, (3, 1, 1)), nn.Conv2d(32, 3, 1), nn.Sigmoid())

        def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
            kept: list[torch.Tensor] = []
            for block in self.face_encoder_blocks:
                faces = block(faces)
                kept.append(faces)
            picture = self.audio_encoder(mel)
            for block in self.face_decoder_blocks:
                picture = torch.cat((block(picture), kept.pop()), dim=1)
            return self.output_block(picture)

    return Generator().eval()


def _stage(channels_in: int, channels: int, first: Layer, residuals: int) -> list[nn.Module]:
    return [_block(channels_in, channels, first), *_residuals(channels, residuals)]


def _residuals(channels: int, count: int) -> list[nn.Module]:
    return [_block(channels, channels, (3, 1, 1), residual=True) for _ in range(count)]


def _block(
    channels_in: int, channels: int, layer: Layer, *, residual: bool = False, transposed: bool = False
) -> nn.Module:
    """Return convolution, normalisation and ReLU; a residual block adds its input before the ReLU."""
    from torch import nn

    kernel, stride, padding = layer
    convolution: Any
    if transposed:
        grows = stride if isinstance(stride, int) else stride[0]
        convolution = nn.ConvTranspose2d(channels_in, channels, kernel, stride, padding, output_padding=grows - 1)
    else:
        convolution = nn.Conv2d(channels_in, channels, kernel, stride, padding)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(channels))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.conv_block(x)
            return (out + x if residual else out).relu_()

    return Block()
