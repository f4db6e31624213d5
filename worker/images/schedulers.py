"""Samplers by the names users know, for diffusers and for ComfyUI. It loads no library at import."""

from __future__ import annotations

from typing import Any, Literal

SchedulerName = Literal[
    "default", "ddim", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "heun", "unipc"
]
_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_2m_karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True}),
    "heun": ("HeunDiscreteScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}
COMFYUI: dict[str, tuple[str, str]] = {
    "default": ("euler", "normal"),
    "ddim": ("ddim", "ddim_uniform"),
    "euler": ("euler", "normal"),
    "euler_a": ("euler_ancestral", "normal"),
    "dpmpp_2m": ("dpmpp_2m", "normal"),
    "dpmpp_2m_karras": ("dpmpp_2m", "karras"),
    "dpmpp_2m_sde": ("dpmpp_2m_sde", "karras"),
    "heun": ("heun", "normal"),
    "unipc": ("uni_pc", "normal"),
}
"""Name -> KSampler's `sampler_name` and `scheduler`."""


def fresh(name: SchedulerName, *, like: Any) -> Any:
    """Return a new diffusers scheduler with the noise schedule of `like`; `default` is one of its own kind."""
    import diffusers

    if name == "default":
        return type(like).from_config(like.config)
    class_name, extra = _CLASSES[name]
    return getattr(diffusers, class_name).from_config(like.config, **extra)
