"""What the test server of ComfyUI's protocol knows: its nodes, how graphs are validated, and what it draws."""

from __future__ import annotations

from typing import Any

import numpy as np

Node = dict[str, Any]
SAMPLERS = ["euler", "euler_ancestral", "heun", "dpmpp_2m", "dpmpp_2m_sde", "ddim", "uni_pc"]
SCHEDULERS = ["normal", "karras", "ddim_uniform"]


def node_table(*, checkpoints: list[str], loras: list[str], new_style_lists: bool) -> dict[str, Any]:
    """Return node class -> its entry of `/object_info`; `new_style_lists` is the shape of newer servers."""

    def choice(names: list[str]) -> list[Any]:
        return ["COMBO", {"options": names}] if new_style_lists else [names]

    required: dict[str, dict[str, Any]] = {
        "KSampler": {
            "model": ["MODEL"], "seed": ["INT"], "steps": ["INT"], "cfg": ["FLOAT"], "denoise": ["FLOAT"],
            "sampler_name": choice(SAMPLERS), "scheduler": choice(SCHEDULERS), "positive": ["CONDITIONING"],
            "negative": ["CONDITIONING"], "latent_image": ["LATENT"],
        },
        "CheckpointLoaderSimple": {"ckpt_name": choice(checkpoints)},
        "EmptyLatentImage": {"width": ["INT"], "height": ["INT"], "batch_size": ["INT"]},
        "CLIPTextEncode": {"text": ["STRING"], "clip": ["CLIP"]},
        "VAEDecode": {"samples": ["LATENT"], "vae": ["VAE"]},
        "PreviewImage": {"images": ["IMAGE"]},
        "LoraLoader": {
            "model": ["MODEL"], "clip": ["CLIP"], "lora_name": choice(loras), "strength_model": ["FLOAT"],
            "strength_clip": ["FLOAT"],
        },
    }  # fmt: skip
    return {
        name: {"input": {"required": inputs}, "name": name, "output_node": name == "PreviewImage"}
        for name, inputs in required.items()
    }


def errors_of(graph: dict[str, Node], nodes: dict[str, Any]) -> dict[str, Any]:
    """Return what is wrong with a graph by node, as `execution.validate_prompt` does; empty when it can run."""
    errors: dict[str, Any] = {}
    for id, node in graph.items():
        known = nodes.get(node["class_type"])
        wrong: list[dict[str, Any]] = []
        if known is None:
            wrong.append({"type": "invalid_prompt", "message": "Node not found", "details": node["class_type"]})
        for name, kind in (known or {"input": {"required": {}}})["input"]["required"].items():
            value = node["inputs"].get(name)
            options = kind[0] if isinstance(kind[0], list) else kind[1]["options"] if kind[0] == "COMBO" else None
            if value is None:
                wrong.append(
                    {"type": "required_input_missing", "message": "Required input is missing", "details": name}
                )
            elif options is not None and value not in options:
                wrong.append(
                    {"type": "value_not_in_list", "message": "Value not in list", "details": f"{name}: {value!r}"}
                )
            elif kind[0] == "INT" and not isinstance(value, int):
                wrong.append({"type": "invalid_input_type", "message": "Failed to convert", "details": name})
            elif isinstance(value, list) and value[0] not in graph:
                wrong.append({"type": "bad_linked_input", "message": "Bad linked input", "details": name})
        if wrong:
            errors[id] = {"errors": wrong, "class_type": node["class_type"], "dependent_outputs": []}
    return errors


def waves(digest: str, width: int, height: int) -> np.ndarray:
    """Return a smooth picture that differs for every digest, uint8 [height, width, 3]."""
    rng = np.random.default_rng(int(digest[:16], 16))
    y, x = np.mgrid[0:height, 0:width] / 64
    colours = [sum(np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-6, 6, (4, 3))) for _ in range(3)]
    return ((np.stack(colours, -1) + 4) / 8 * 255).astype(np.uint8)
