"""Opening media files for reading: only local files in formats we know, foreign errors translated. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.states import FailureKind
from worker.context import TaskError

if TYPE_CHECKING:
    from av.container import InputContainer

FORMATS = "mov,matroska,wav,mp3,flac,ogg,aac"
"""Demuxers that may open a file. Not here: playlists and concat scripts, which name other files."""


@contextmanager
def opened(path: Path, *, kind: FailureKind = FailureKind.INPUT) -> Iterator[InputContainer]:
    """Open a media file for reading inside a `with` block.

    Raises:
        TaskError: `undecodable`, of this kind: the file, or a packet read inside the block, is broken or unknown.
    """
    import av
    from av.error import FFmpegError

    try:
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        with av.open(str(path), container_options=options) as container:
            yield container
    except (FFmpegError, OSError) as error:
        raise TaskError(
            "undecodable",
            f"{path.name} cannot be decoded",
            kind=kind,
            hint="Use a whole MP4, MOV, WebM, Matroska, WAV, MP3, FLAC, OGG or AAC file.",
            detail=str(error),
        ) from error
