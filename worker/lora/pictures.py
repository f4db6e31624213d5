"""The user's pictures as training squares: every one is checked, and all that is wrong is said at once. No torch."""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskError
from worker.lora.settings import MOST_PICTURES

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
MOST_ENLARGED = 2.0  # a crop from fewer pixels than half the training side teaches blur
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_ORIENTATION = 0x0112  # the EXIF tag
_ON_ITS_SIDE = (5, 6, 7, 8)
_NUMBER = f"1 to {MOST_PICTURES}"
GROUND = (255, 255, 255, 255)  # what transparent pixels stand on


@dataclass(frozen=True)
class Picture:
    """One training picture.

    Attributes:
        pixels: uint8 [side, side, 3] RGB.
        size_px: (width, height) upright, before it was scaled and cropped.
        crop_px: (top, left) of the crop in the scaled picture.
        sha256: of the file.
        caption: what the text encoders are given.
    """

    name: str
    pixels: NDArray[np.uint8]
    size_px: tuple[int, int]
    crop_px: tuple[int, int]
    sha256: str
    caption: str


def read_pictures(
    refs: Sequence[Mapping[str, Any]],
    *,
    side_px: int,
    captions: Sequence[str],
    check: Callable[[], None],
    path: str = "/inputs/images",
) -> list[Picture]:
    """Return every picture upright, scaled to cover the square, cropped at its centre.

    Args:
        refs: `ArtifactRef` dicts with local paths.
        captions: one for each picture.
        check: called between pictures; raises when the job was cancelled.

    Raises:
        TaskError: `no_images`, `too_many_images`, or `bad_images` with the reason of every refused picture.
    """
    if not refs:
        raise TaskError("no_images", "there is no picture to train on", path=path, got=0, allowed=_NUMBER,
                        hint="add at least one JPEG, PNG or WebP picture; ten to twenty give good results")  # fmt: skip
    if len(refs) > MOST_PICTURES:
        raise TaskError("too_many_images", f"{len(refs)} pictures are more than {MOST_PICTURES}", path=path,
                        got=len(refs), allowed=_NUMBER, hint="choose the best ones")  # fmt: skip
    pictures: list[Picture] = []
    refused: dict[int, str] = {}
    for index, (ref, caption) in enumerate(zip(refs, captions, strict=True)):
        check()
        try:
            pictures.append(_read(ref, side_px=side_px, caption=caption))
        except ValueError as error:
            refused[index] = f"{ref.get('name') or index}: {error}"
    if refused:
        shown = [*refused.values()][:20]
        more = f"; and {len(refused) - 20} more" if len(refused) > 20 else ""
        raise TaskError(
            "bad_images", f"{len(refused)} of {len(refs)} pictures cannot be used: {'; '.join(shown)}{more}",
            path=f"{path}/{next(iter(refused))}", got=shown,
            allowed=f"{', '.join(FORMATS)}; at least {_least_px(side_px)} px a side, at most {MAX_PIXELS:,} pixels",
            hint="replace or leave out the named pictures",
        )  # fmt: skip
    return pictures


def captions_for(refs: Sequence[Mapping[str, Any]], *, given: Sequence[str], trigger: str, concept: str) -> list[str]:
    """Return a caption for each picture: the user's text, which then begins with the trigger, or one made of it.

    Raises:
        TaskError: `captions_do_not_match`: their number is not that of the pictures.
    """
    if given and len(given) != len(refs):
        message = f"{len(given)} captions for {len(refs)} pictures"
        raise TaskError("captions_do_not_match", message, path="/params/captions", got=len(given), allowed=len(refs),
                        hint="give one caption for each picture, or none")  # fmt: skip
    texts = given or [str((ref.get("media") or {}).get("caption") or "") for ref in refs]
    made = caption_of(trigger, concept=concept)
    return [_with_trigger(" ".join(text.split()), trigger) if text.strip() else made for text in texts]


def caption_of(trigger: str, *, concept: str) -> str:
    """Return the text for a picture of which only the trigger is known."""
    return f"a photo of {trigger}" if concept == "subject" else f"a picture in the style of {trigger}"


def _with_trigger(text: str, trigger: str) -> str:
    return text if trigger.casefold() in text.casefold() else f"{trigger}, {text}"


def _least_px(side_px: int) -> int:
    return round(side_px / MOST_ENLARGED)


def _read(ref: Mapping[str, Any], *, side_px: int, caption: str) -> Picture:
    """Return one picture.

    Raises:
        ValueError: why it cannot be used.
    """
    from PIL import Image, ImageOps

    path = Path(str(ref.get("path") or ""))
    if not path.is_file():
        raise ValueError("there is no file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of decoders about odd metadata; what cannot be decoded raises
            with Image.open(path, formats=FORMATS) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                if min(file.size) < _least_px(side_px):
                    raise ValueError(f"{file.width} x {file.height} px is too small")
                turned = file.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
                width_px, height_px = file.size[::-1] if turned else file.size
                file.draft("RGB", (2 * side_px, 2 * side_px))  # a large JPEG is decoded at a fraction of its size
                flat = _opaque(ImageOps.exif_transpose(file))
    except Image.DecompressionBombError as error:
        raise ValueError(f"more than {MAX_PIXELS:,} pixels are too large") from error
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        raise ValueError(f"not a readable picture ({type(error).__name__})") from error
    scale = side_px / min(flat.size)
    size = max(side_px, round(flat.width * scale)), max(side_px, round(flat.height * scale))
    left, top = (size[0] - side_px) // 2, (size[1] - side_px) // 2
    scaled = flat.resize(size, Image.Resampling.LANCZOS).crop((left, top, left + side_px, top + side_px))
    return Picture(
        name=str(ref.get("name") or path.name),
        pixels=np.asarray(scaled, np.uint8),
        size_px=(width_px, height_px),
        crop_px=(top, left),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        caption=caption,
    )


def _opaque(picture: Image) -> Image:
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, GROUND), layer).convert("RGB")
