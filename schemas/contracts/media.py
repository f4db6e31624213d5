"""Contracts of the speech, image and video tasks."""

from typing import Any

from schemas.capability import Contract, port

RESOLUTION: dict[str, Any] = {
    "type": "string",
    "pattern": r"^(\d{3,4}p|\d{2,5}x\d{2,5}|4K|8K)$",
    "default": "720p",
    "description": "`720p`, `1280x720`, `4K` or `8K`.",
}
RENDER_VARIANTS = ("svd", "sadtalker")
RENDER_PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "variant": {"type": "string", "maxLength": 64},
        "duration_seconds": {"type": "number", "minimum": 1, "maximum": 600, "default": 20},
        "resolution": RESOLUTION,
        "fps": {"type": "integer", "minimum": 1, "maximum": 120, "default": 25},
        "style": {"type": "string", "maxLength": 4000},
        "seed": {"type": "integer", "minimum": 0, "default": 0},
        "subtitles": {"enum": ["burned", "sidecar", "both", "none"], "default": "both"},
        "title": {"type": "string", "maxLength": 200},
    },
    "additionalProperties": True,
}
SIDE: dict[str, Any] = {"type": ["integer", "null"], "minimum": 64, "maximum": 2048, "multipleOf": 8}
IMAGE_PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "negative_prompt": {"type": "string", "maxLength": 4000},
        "width": SIDE,
        "height": SIDE,
        "resolution": {**RESOLUTION, "type": ["string", "null"], "default": None},
        "steps": {"type": "integer", "minimum": 1, "maximum": 150, "default": 30},
        "guidance_scale": {"type": "number", "minimum": 0, "maximum": 30, "default": 7},
        "scheduler": {
            "enum": [
                "default", "ddim", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "heun", "unipc",
            ],
            "default": "default",
        },
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0},
        "count": {"type": "integer", "minimum": 1, "maximum": 16, "default": 1},
        "style": {"type": "string", "maxLength": 1000},
        "lora_scale": {"type": "number", "minimum": 0, "maximum": 2, "default": 1},
        "reference_strength": {"type": "number", "minimum": 0.05, "maximum": 1, "default": 0.6},
        "model": {"type": ["string", "null"], "maxLength": 200},
    },
}  # fmt: skip

CONTRACTS = {
    "render_video": Contract(
        plane="python",
        description="Render a narrated video from a script: animated scenes (svd) or a talking portrait (sadtalker).",
        inputs={
            "script": port("object", "script"),
            "pipeline": port("object", "pipeline", optional=True),
            "profile": port("object", "profile", optional=True),
            "lora": port("object", "lora", optional=True),
            "voice": port("object", "voice", optional=True),
            "images": port("array", "image", optional=True),
        },
        outputs={"video": port("object", "video")},
        params=RENDER_PARAMS,
    ),
    "synthesize_speech": Contract(
        plane="python",
        description="Speak a text: narration audio with word and phoneme times.",
        alias="tts.synthesize",
        inputs={
            "script": port("object", "script"),
            "voice": port("object", "voice", optional=True),
        },
        outputs={"audio": port("object", "audio")},
        params={
            "type": "object",
            "properties": {
                "voice": {"type": "string", "maxLength": 64},
                "duration_seconds": {"type": ["number", "null"], "minimum": 1, "maximum": 600},
            },
        },
    ),
    "apply_lipsync": Contract(
        plane="python",
        description="Move the lips of a face in a video to match speech audio.",
        alias="lipsync.apply",
        inputs={"video": port("object", "video"), "audio": port("object", "audio")},
        outputs={"video": port("object", "video")},
    ),
    "upscale_video": Contract(
        plane="python",
        description="Upscale a video to a higher resolution.",
        inputs={"video": port("object", "video")},
        outputs={"video": port("object", "video")},
        params={"type": "object", "properties": {"resolution": RESOLUTION}},
    ),
    "mux_video": Contract(
        plane="python",
        description="Join pictures and sound into one video with even loudness, subtitles and a thumbnail.",
        inputs={"video": port("object", "video"), "audio": port("object", "audio", optional=True)},
        outputs={"video": port("object", "video")},
        params={
            "type": "object",
            "properties": {
                "loudness_lufs": {"type": "number", "minimum": -40, "maximum": -5, "default": -16},
                "subtitles": {"enum": ["sidecar", "none"], "default": "sidecar"},
            },
        },
    ),
    "text_to_image": Contract(
        plane="python",
        description="Make a picture, image, photo or illustration from a text prompt.",
        inputs={
            "prompt": port("string", "prompt"),
            "reference": port("object", "reference", optional=True),
            "lora": port("object", "lora", optional=True),
        },
        outputs={"image": port("object", "image")},
        params=IMAGE_PARAMS,
    ),
    "image_to_3d": Contract(
        plane="python",
        description="Turn an image into a textured 3D model.",
        inputs={"image": port("object", "image")},
        outputs={"model3d": port("object", "model3d")},
    ),
}
