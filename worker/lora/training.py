"""The training of one adapter: steps, the fixed-noise loss, and a state that can be kept and taken up again.

It knows no job: `worker/lora/run.py` decides when to look, to show and to keep.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from worker.lora.base import Base, precision
from worker.lora.encoding import Encoded, conditions
from worker.lora.noise import generator, noise_of
from worker.lora.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # the attention projections, as in diffusers' own training scripts
LOOKS = 16  # samples of the fixed-noise loss
CLIP_NORM = 1.0
ADAPTER, OPTIMIZER = "adapter.", "optimizer."


class Training:
    """An adapter in training on a base's network; made by `training_on`, which gives the network back as it was.

    Equal settings, data and device give equal weights: what a step draws depends on the seed and its number only.

    Attributes:
        checkpointing: activations are computed again in the backward pass instead of kept. It is switched on by
            itself when a step runs out of the device's memory.
    """

    def __init__(
        self, base: Base, encoded: Encoded, settings: Settings, *, device: str, checkpointing: bool = False
    ) -> None:
        import torch
        from peft import LoraConfig

        self.base, self.encoded, self.settings, self.device = base, encoded, settings, device
        self.noise = noise_of(base.scheduler_config).to(device)
        self.checkpointing = False
        self._autocast = precision(device) != torch.float32
        config = LoraConfig(
            r=settings.rank, lora_alpha=settings.rank, init_lora_weights="gaussian", target_modules=list(TARGETS)
        )
        unet = base.unet
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            unet.add_adapter(config)
        unet.to(device=device, memory_format=torch.channels_last if device != "cpu" else torch.preserve_format)
        self._trained = {name: weight for name, weight in unet.named_parameters() if weight.requires_grad}
        for weight in self._trained.values():
            weight.data = weight.data.float()
        unet.train()
        if checkpointing:
            self._save_memory()
        self._optimizer = _optimizer([*self._trained.values()], device=device)

    def step(self, number: int) -> Tensor:
        """Train one step (from 0) and return its loss, a float32 scalar on the device.

        Raises:
            torch.OutOfMemoryError: a step does not fit even with checkpointing.
        """
        import torch

        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.learning_rate_at(number)
        try:
            loss = self._backward(number)
        except torch.OutOfMemoryError:
            if self.checkpointing:
                raise
            loss = None
        if loss is None:  # outside of the handler, whose traceback holds the activations
            self._save_memory()
            self._optimizer.zero_grad(set_to_none=True)
            if self.device != "cpu":
                torch.cuda.empty_cache()
            loss = self._backward(number)
        torch.nn.utils.clip_grad_norm_(self._trained.values(), CLIP_NORM)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss

    def evaluate(self) -> float:
        """Return the mean squared error on pictures, timesteps and noise that never change.

        Its pictures are training pictures: it tells how far the adapter is, not how well it generalises.
        """
        import torch

        count, last = len(self.encoded), self.noise.timesteps - 1
        draws = generator(self.settings.seed, "evaluation")
        at = torch.tensor([round((index + 0.5) / LOOKS * last) for index in range(LOOKS)])
        index = torch.arange(LOOKS) % count
        shape = (LOOKS, *self.encoded.mean.shape[1:])
        noise = torch.randn(shape, generator=draws)
        total = torch.zeros((), device=self.device)
        with torch.no_grad():
            for start in range(0, LOOKS, self.settings.batch):
                part = slice(start, start + self.settings.batch)
                errors = self._errors(index[part], at[part], noise[part], torch.zeros_like(noise[part]))
                total += errors.sum()
        return float(total) / LOOKS

    def predict(self, latents: Tensor, at: Tensor, **given: Any) -> Tensor:
        """Return what the network says about noisy latents at timesteps `at`, float32."""
        import torch

        with torch.autocast("cuda", torch.bfloat16) if self._autocast else nullcontext():
            return self.base.unet(latents, at, **given, return_dict=False)[0].float()

    def adapter(self) -> dict[str, Tensor]:
        """Return the trained weights on the CPU by the network's own names."""
        return {name: weight.detach().cpu().contiguous() for name, weight in self._trained.items()}

    def state(self) -> dict[str, Tensor]:
        """Return adapter and optimizer as flat tensors on the CPU: with the number of steps, all there is to keep."""
        import torch

        flat = {ADAPTER + name: weight for name, weight in self.adapter().items()}
        names = [*self._trained]
        for index, slots in self._optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                tensor = value if isinstance(value, torch.Tensor) else torch.tensor(value)
                flat[f"{OPTIMIZER}{slot}/{names[index]}"] = tensor.detach().cpu().contiguous()
        return flat

    def restore(self, flat: Mapping[str, Tensor]) -> None:
        """Take up a kept state.

        Raises:
            ValueError: it is not a state of this adapter.
        """
        import torch

        wrong = {name for name, weight in self._trained.items()
                 if flat.get(ADAPTER + name) is None or flat[ADAPTER + name].shape != weight.shape}  # fmt: skip
        if wrong:
            raise ValueError(f"{len(wrong)} weights do not fit, {min(wrong)} among them")
        numbers = {name: index for index, name in enumerate(self._trained)}
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in flat.items():
            if key.startswith(OPTIMIZER):
                slot, _, name = key.removeprefix(OPTIMIZER).partition("/")
                slots.setdefault(numbers[name], {})[slot] = value
        with torch.no_grad():
            for name, weight in self._trained.items():
                weight.copy_(flat[ADAPTER + name])
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": slots})

    def release(self) -> None:
        """Let go of the optimizer and the encoded pictures."""
        self._trained = {}
        del self._optimizer, self.encoded

    def _backward(self, number: int) -> Tensor:
        import torch

        draws = generator(self.settings.seed, "step", number)
        index = self._chosen(number)
        at = torch.randint(0, self.noise.timesteps, (len(index),), generator=draws)
        shape = (len(index), *self.encoded.mean.shape[1:])
        noise = torch.randn(shape, generator=draws)
        errors = self._errors(index, at, noise, torch.randn(shape, generator=draws))
        weights = self.noise.weights(at.to(self.device), loss=self.settings.loss)
        loss = (errors if weights is None else errors * weights).mean()
        loss.backward()
        return loss.detach()

    def _errors(self, index: Tensor, at: Tensor, noise: Tensor, draw: Tensor) -> Tensor:
        """Return the squared error of each sample, float32 [B]; `draw` picks the latents from their distribution."""
        index, at, noise, draw = (part.to(self.device, non_blocking=True) for part in (index, at, noise, draw))
        encoded = self.encoded
        latents = encoded.mean[index] + encoded.spread[index] * draw
        given = conditions(encoded.words.rows(encoded.caption[index]), encoded.sizes[index])
        said = self.predict(self.noise.add(latents, noise, at), at, **given)
        return (said - self.noise.target(latents, noise, at)).square().mean(dim=(1, 2, 3))

    def _chosen(self, number: int) -> Tensor:
        """Return the pictures of a step, int64 [B]: every round visits each once, in an order of its own."""
        import torch

        count, batch = len(self.encoded), self.settings.batch
        places = range(number * batch, (number + 1) * batch)
        rounds = {place // count for place in places}
        orders = {
            one: torch.randperm(count, generator=generator(self.settings.seed, "order", one)) for one in rounds
        }  # fmt: skip
        return torch.stack([orders[place // count][place % count] for place in places])

    def _save_memory(self) -> None:
        self.base.unet.enable_gradient_checkpointing()
        self.checkpointing = True


@contextmanager
def training_on(
    base: Base, encoded: Encoded, settings: Settings, *, device: str, checkpointing: bool = False
) -> Iterator[Training]:
    """Train on a base for a while; afterwards its network is as it was, whatever happened, and stays on the device."""
    import torch

    training = None
    try:
        training = Training(base, encoded, settings, device=device, checkpointing=checkpointing)
        yield training
    finally:
        if training is not None:
            training.release()
        base.unet.unload_lora()
        base.unet.disable_gradient_checkpointing()
        base.unet.eval().requires_grad_(False)
        if device != "cpu":
            torch.cuda.empty_cache()


def optimizer_name(device: str) -> str:
    """Return which optimizer a device gets: 8-bit AdamW where bitsandbytes can be imported, else AdamW."""
    return "AdamW8bit" if device != "cpu" and importlib.util.find_spec("bitsandbytes") else "AdamW"


def _optimizer(weights: list[Any], *, device: str) -> Any:
    import torch

    if optimizer_name(device) == "AdamW8bit":
        import bitsandbytes  # pyright: ignore[reportMissingImports]  # optional, CUDA only

        return bitsandbytes.optim.AdamW8bit(weights, weight_decay=1e-2)
    return torch.optim.AdamW(weights, weight_decay=1e-2, fused=device != "cpu")
