"""Pictures and captions as the network sees them, computed once: then neither VAE nor text encoders are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.lora.base import Base
from worker.lora.pictures import Picture

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Words:
    """Encoded texts, one row each.

    Attributes:
        states: float32 [N, 77, D].
        pooled: float32 [N, P] for SDXL, else None.
    """

    states: Tensor
    pooled: Tensor | None

    def rows(self, index: Tensor) -> Words:
        return Words(self.states[index], None if self.pooled is None else self.pooled[index])


@dataclass(frozen=True)
class Encoded:
    """All that training needs of N pictures with C different captions, on the training device.

    Attributes:
        mean, spread: float32 [N, 4, h, w]: the VAE's distribution, scaled as the network expects it; each visit
            of a picture draws its own latents from it.
        sizes: float32 [N, 6]: height and width, crop top and left, target height and width (SDXL only reads them).
        caption: int64 [N], row of `words`.
        words: the captions.
    """

    mean: Tensor
    spread: Tensor
    sizes: Tensor
    caption: Tensor
    words: Words

    def __len__(self) -> int:
        return len(self.mean)


def encode_words(base: Base, texts: Sequence[str], *, device: str) -> Words:
    """Return the texts encoded; the encoders are on the device only meanwhile."""
    import torch

    states: list[Tensor] = []
    pooled: Tensor | None = None
    for tokenizer, encoder in zip(base.tokenizers, base.text_encoders, strict=True):
        asked = tokenizer(
            list(texts), padding="max_length", max_length=tokenizer.model_max_length, truncation=True,
            return_tensors="pt",
        )  # fmt: skip
        with torch.no_grad(), visiting(encoder, device):
            said = encoder(asked.input_ids.to(device), output_hidden_states=True)
            if base.family == "sdxl":  # the last layer but one of both; the second one's summary
                states.append(said.hidden_states[-2].float())
                pooled = said[0].float()
            else:
                states.append(said.last_hidden_state.float())
    return Words(torch.cat(states, dim=-1), pooled)


def encode_pictures(
    base: Base, pictures: Sequence[Picture], *, device: str, tick: Callable[[int], None]
) -> tuple[Tensor, Tensor]:
    """Return mean and spread of every picture's latents, float32 [N, 4, h, w] each.

    Args:
        tick: called with the number of encoded pictures; raises when the job was cancelled.
    """
    import torch

    means, spreads = [], []
    factor, shift = base.vae.config.scaling_factor, getattr(base.vae.config, "shift_factor", None) or 0.0
    with torch.no_grad(), visiting(base.vae, device):
        for done, picture in enumerate(pictures):
            tick(done)
            pixels = torch.from_numpy(picture.pixels.copy()).to(device).permute(2, 0, 1)[None]
            found = base.vae.encode(pixels.float() / 127.5 - 1).latent_dist
            means.append((found.mean[0] - shift) * factor)
            spreads.append(found.std[0] * factor)
    return torch.stack(means), torch.stack(spreads)


def encode(base: Base, pictures: Sequence[Picture], *, device: str, tick: Callable[[int], None]) -> Encoded:
    """Return everything that training needs of the pictures and their captions."""
    import torch

    texts = sorted({picture.caption for picture in pictures})
    mean, spread = encode_pictures(base, pictures, device=device, tick=tick)
    return Encoded(
        mean=mean,
        spread=spread,
        sizes=torch.tensor([_sizes(picture) for picture in pictures], device=device),
        caption=torch.tensor([texts.index(picture.caption) for picture in pictures], device=device),
        words=encode_words(base, texts, device=device),
    )


@contextmanager
def visiting(part: Any, device: str) -> Iterator[None]:
    """Have a part on the device for a while; it goes back to the CPU, and its memory back to the device."""
    import torch

    part.to(device)
    try:
        yield
    finally:
        part.to("cpu")
        if device != "cpu":
            torch.cuda.empty_cache()


def conditions(words: Words, sizes: Tensor) -> dict[str, Any]:
    """Return the keyword arguments of the network that carry text and sizes."""
    if words.pooled is None:
        return {"encoder_hidden_states": words.states}
    return {
        "encoder_hidden_states": words.states,
        "added_cond_kwargs": {"text_embeds": words.pooled, "time_ids": sizes},
    }


def _sizes(picture: Picture) -> list[float]:
    (width, height), (top, left), side = picture.size_px, picture.crop_px, picture.pixels.shape[0]
    return [float(value) for value in (height, width, top, left, side, side)]
