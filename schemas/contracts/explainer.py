"""Contracts of the Manim explainer chain."""

from schemas.capability import Contract, port

CONTRACTS = {
    "explanation.generateInitial": Contract(
        plane="node",
        description="Write a first explanation of a mathematical or scientific topic.",
        inputs={"topic": port("string", "text")},
        outputs={"explanation": port("object", "explanation")},
    ),
    "explanation.refine": Contract(
        plane="node",
        description="Refine an explanation for clarity and correctness.",
        inputs={"explanation": port("object", "explanation")},
        outputs={"refined_explanation": port("object", "refined_explanation")},
    ),
    "manim.generateScript": Contract(
        plane="node",
        description="Write a Manim script that animates an explanation.",
        inputs={"refined_explanation": port("object", "refined_explanation")},
        outputs={"manim_script": port("object", "manim_script")},
    ),
    "manim.validateScript": Contract(
        plane="node",
        description="Check and repair a Manim script.",
        inputs={"manim_script": port("object", "manim_script")},
        outputs={"valid_manim_script": port("object", "valid_manim_script")},
    ),
    "render_manim": Contract(
        plane="python",
        description="Render a checked Manim script to a mathematical animation video.",
        inputs={"valid_manim_script": port("object", "valid_manim_script")},
        outputs={"video": port("object", "video")},
    ),
}
