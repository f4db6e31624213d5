"""How a Stable Video Diffusion pipeline fits into the memory there is, and when compiling it pays. Pure."""

from __future__ import annotations

from dataclasses import dataclass

COMPILE_S = 90.0  # generous for the repeated blocks of the UNet; whole-model compilation takes several times this
COMPILE_GAIN = 0.2  # share of the step time. Source: diffusers guide to Stable Video Diffusion, "20-25 %"


@dataclass(frozen=True)
class MemoryPlan:
    """One way to run the pipeline.

    Attributes:
        needs_gib: free device memory from which on it is tried first.
        offload: models wait in main memory and come to the device one after the other.
        forward_chunks: feed-forward layers run piece by piece, which is slower and needs less memory.
        decode_chunk: frames decoded at a time; fewer need less memory and flicker a little more.
    """

    name: str
    needs_gib: float
    offload: bool
    forward_chunks: bool
    decode_chunk: int


ON_CPU = MemoryPlan("cpu", 0.0, offload=False, forward_chunks=False, decode_chunk=8)
# The weights are 4.6 GiB in float16 (UNet 1.5, image encoder 0.63, VAE 0.1 billion parameters); the rest is activations
# of 25 frames at 576x1024. `frugal` is the recipe of the diffusers guide ("less than 8 GB"). The thresholds of the two
# others leave room on purpose: a plan that runs out of memory is followed by the next one.
ON_GPU = (
    MemoryPlan("resident", 18.0, offload=False, forward_chunks=False, decode_chunk=8),
    MemoryPlan("offload", 11.0, offload=True, forward_chunks=False, decode_chunk=4),
    MemoryPlan("frugal", 6.5, offload=True, forward_chunks=True, decode_chunk=2),
)


def plan_for(device: str, *, free_gib: float) -> MemoryPlan:
    """Return the plan to try first; the last resort is tried even where memory looks short."""
    if device == "cpu":
        return ON_CPU
    return next((plan for plan in ON_GPU if plan.needs_gib <= free_gib), ON_GPU[-1])


def smaller(plan: MemoryPlan) -> MemoryPlan | None:
    """Return the plan to try after this one ran out of memory, or None when there is none."""
    following = ON_GPU[ON_GPU.index(plan) + 1 :] if plan in ON_GPU else ()
    return following[0] if following else None


def compiling_pays(*, step_s: float, steps_left: int) -> bool:
    """Tell whether the time that compiled steps save is more than compiling takes."""
    return steps_left * step_s * COMPILE_GAIN > COMPILE_S


def working_size(width: int, height: int, *, area_px: int) -> tuple[int, int]:
    """Return the size at which a model draws a frame of this shape: multiples of 64 px with about `area_px` pixels.

    64 is 8 (one latent pixel) times 8 (the three halvings inside the UNet).
    """
    aspect = min(3.0, max(1 / 3, width / height))
    high = max(1, round((area_px / aspect) ** 0.5 / 64))
    wide = max(1, min(round(high * aspect), round(area_px / 64 / 64 / high)))
    return wide * 64, high * 64
