"""What pictures may leave this worker: the setting `REELGRAPH_IMAGE_POLICY`.

`off` (the default) checks nothing. Anything else is the folder of a safety checker the user has: the `safety_checker`
part of a Stable Diffusion 1.5 diffusers folder, with its `preprocessor_config.json`. It is data only (safetensors and
JSON); the code is the library's. A checker errs in both directions: it is a filter, no guarantee. With a policy that
cannot be loaded nothing is drawn.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskError
from worker.images.loading import quiet_libraries
from worker.models.catalogue import folders
from worker.models.resident import GIB, resident
from worker.models.weights import refuse_unsafe

SETTING = "REELGRAPH_IMAGE_POLICY"
FILES = ("config.json", "preprocessor_config.json")


def policy_folder() -> Path | None:
    """Return the folder of the safety checker, or None when the policy is `off`."""
    told = os.environ.get(SETTING, "").strip()
    if told in ("", "off"):
        return None
    path = Path(told).expanduser()
    for place in (path, *(folder / told for folder in folders())):
        if place.is_dir():
            return place
    return path


def policy_lacking() -> str | None:
    """Return None when the policy can be kept, else what is wrong with it."""
    folder = policy_folder()
    if folder is None or all((folder / name).is_file() for name in FILES):
        return None
    return f"{SETTING}={folder} is no safety checker: a folder with {', '.join(FILES)} and model.safetensors, or `off`"


def refuse_unfit(pictures: list[NDArray[np.uint8]], *, device: str) -> None:
    """Refuse pictures that the policy does not let out; each is uint8 [H, W, 3] RGB.

    Raises:
        TaskError: `image_refused`, or `image_policy_broken` when the checker cannot be loaded.
    """
    folder = policy_folder()
    if folder is None or not pictures:
        return
    if (reason := policy_lacking()) is not None:
        raise TaskError("image_policy_broken", reason, hint=f"correct {SETTING}")
    refuse_unsafe(folder)
    size_gib = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / GIB
    key = f"{folder.name}:policy:{folder}"
    with resident(key, lambda: _load(folder, device), size_gib=size_gib, device=device) as (checker, processor):
        flagged = [_is_flagged(picture, checker, processor) for picture in pictures]
    if any(flagged):
        raise TaskError(
            "image_refused", f"the safety checker {folder.name!r} refused {sum(flagged)} of {len(flagged)} pictures",
            path="inputs.prompt", hint="change the prompt or the seed; checkers are sometimes wrong",
        )  # fmt: skip


def _load(folder: Path, device: str) -> tuple[Any, Any]:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPImageProcessor

    with quiet_libraries():
        checker = StableDiffusionSafetyChecker.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        processor = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
    loaded: Any = checker
    return loaded.to(device).eval(), processor


def _is_flagged(picture: NDArray[np.uint8], checker: Any, processor: Any) -> bool:
    import torch

    seen = processor(picture, return_tensors="pt").pixel_values.to(checker.device, checker.dtype)
    with torch.no_grad():
        _, flags = checker(clip_input=seen, images=[np.array(picture)])
    return bool(flags[0])
