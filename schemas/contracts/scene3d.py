"""Contracts of the SVG -> 3D -> animation -> video chain."""

from schemas.capability import Contract, port

CONTRACTS = {
    "svg_to_3d": Contract(
        plane="python",
        description="Extrude an SVG vector graphic into a 3D scene and model.",
        inputs={"svg": port("object", "svg")},
        outputs={"scene": port("object", "scene"), "model3d": port("object", "model3d")},
    ),
    "animate_scene": Contract(
        plane="python",
        description="Animate a 3D scene: reveal elements, move the camera.",
        inputs={"scene": port("object", "scene")},
        outputs={"animation": port("object", "animation")},
    ),
    "render_scene": Contract(
        plane="python",
        description="Render an animated 3D scene to a video.",
        inputs={"animation": port("object", "animation")},
        outputs={"video": port("object", "video")},
    ),
}
