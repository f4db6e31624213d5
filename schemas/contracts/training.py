"""Contracts of the training tasks."""

from schemas.capability import Contract, port

_PARAMS = {
    "type": "object",
    "properties": {
        "preset": {"enum": ["quick", "balanced", "quality"], "default": "balanced"},
        "seed": {"type": "integer", "minimum": 0, "default": 0},
    },
}

CONTRACTS = {
    "train_lora": Contract(
        plane="python",
        description="Train a LoRA adapter on the user's images so that pictures show their subject or style.",
        inputs={"profile": port("object", "profile"), "images": port("array", "image")},
        outputs={"lora": port("object", "lora")},
        params=_PARAMS,
    ),
    "train_voice": Contract(
        plane="python",
        description="Train a voice on the user's recordings so that narration sounds like them.",
        inputs={"profile": port("object", "profile"), "audio": port("array", "audio")},
        outputs={"voice": port("object", "voice")},
        params=_PARAMS,
    ),
}
