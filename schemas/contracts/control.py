"""Contracts of the control-plane tasks that every pipeline shares."""

from schemas.capability import Contract, port

_STRING = {"type": "string", "maxLength": 4000}

CONTRACTS = {
    "script.generateScript": Contract(
        plane="node",
        description="Write a spoken script about a topic: a stage description and a narrative for a video.",
        inputs={
            "topic": port("string", "text"),
            "style": port("string", "text", optional=True),
            "language": port("string", "text", optional=True),
        },
        outputs={"script": port("object", "script")},
        params={
            "type": "object",
            "properties": {
                "duration_seconds": {"type": "number", "minimum": 1, "maximum": 600, "default": 20},
                "style": _STRING,
                "tone": _STRING,
                "language": {"type": "string", "maxLength": 16},
            },
        },
    ),
    "profiles.resolveOrCreate": Contract(
        plane="node",
        description="Create or reuse the profile that trained models belong to.",
        inputs={
            "images": port("array", "image", optional=True),
            "audio": port("array", "audio", optional=True),
        },
        outputs={"profile": port("object", "profile")},
        params={"type": "object", "properties": {"profile_id": _STRING, "name": _STRING}},
    ),
    "profiles.loadExisting": Contract(
        plane="node",
        description="Load an existing profile with its trained LoRA and voice.",
        inputs={"profile_id": port("string", "text")},
        outputs={"profile": port("object", "profile")},
    ),
    "planner.selectPipeline": Contract(
        plane="node",
        description="Choose the rendering variant and its settings from the request and the live capabilities.",
        inputs={"profile": port("object", "profile", optional=True)},
        outputs={"pipeline": port("object", "pipeline")},
        params={
            "type": "object",
            "properties": {"requested_variant": {"type": ["string", "null"], "maxLength": 64}},
        },
    ),
    "artifacts.registerOutputs": Contract(
        plane="node",
        description="Register the produced media as the outputs of the job.",
        inputs={
            "video": port("object", "video", optional=True),
            "image": port("object", "image", optional=True),
            "audio": port("object", "audio", optional=True),
            "model3d": port("object", "model3d", optional=True),
            "svg": port("object", "svg", optional=True),
            "lora": port("object", "lora", optional=True),
            "voice": port("object", "voice", optional=True),
        },
        outputs={"artifacts": port("array", "artifacts")},
    ),
    "artifacts.publishPublic": Contract(
        plane="node",
        description="Publish an artifact under a public link.",
        inputs={"video": port("object", "video")},
        outputs={"publication": port("object", "publication")},
    ),
    "gate.approve": Contract(
        plane="node",
        description="Hold the job until a person approves or edits a value, for example the script.",
        inputs={"value": port("object", "script")},
        outputs={"script": port("object", "script")},
        params={"type": "object", "properties": {"question": _STRING}},
    ),
    "svg.generateSvg": Contract(
        plane="node",
        description="Draw a diagram or illustration about a topic as an SVG vector graphic.",
        inputs={"topic": port("string", "text")},
        outputs={"svg": port("object", "svg")},
    ),
    "prompt.expand": Contract(
        plane="node",
        description="Expand a short wish into a detailed image prompt.",
        inputs={"text": port("string", "text")},
        outputs={"prompt": port("string", "prompt")},
    ),
    "memory.recall": Contract(
        plane="node",
        description="Recall an earlier creation of the user that the text refers to.",
        inputs={"text": port("string", "text")},
        outputs={"reference": port("object", "reference")},
    ),
    "memory.store": Contract(
        plane="node",
        description="Remember a creation so that it can be recalled later.",
        inputs={"image": port("object", "image", optional=True), "model3d": port("object", "model3d", optional=True)},
        outputs={"memory": port("object", "memory")},
    ),
    "knowledge.retrieve": Contract(
        plane="node",
        description="Retrieve facts about a topic from the user's documents.",
        inputs={"topic": port("string", "text")},
        outputs={"knowledge": port("object", "knowledge")},
    ),
}
