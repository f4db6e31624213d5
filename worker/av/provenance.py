"""What a video file says about itself: its title, and where it came from as JSON in the comment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from worker.av.source import opened

TITLE = "title"


def container_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the MP4 tags for these facts: `title` as it is, all others as one JSON object in `comment`.

    MP4 players know a fixed set of tags and drop the rest; a comment every tool shows.
    """
    facts = {key: value for key, value in metadata.items() if key != TITLE and value}
    tags = {"comment": json.dumps(facts, ensure_ascii=False, sort_keys=True)} if facts else {}
    return tags | ({TITLE: metadata[TITLE]} if metadata.get(TITLE) else {})


def probe_metadata(path: Path) -> dict[str, str]:
    """Return what `container_tags` put into the file: `title`, `plan_digest`, `job_id`, `node_id`, ...

    A comment that is not ours is returned under `comment`.

    Raises:
        TaskError: `undecodable`.
    """
    with opened(path) as container:
        tags = dict(container.metadata)
    comment = tags.get("comment", "")
    try:
        facts = json.loads(comment)
    except ValueError:
        facts = None
    if isinstance(facts, dict):
        found = {str(key): str(value) for key, value in facts.items()}
    else:
        found = {"comment": comment} if comment else {}
    return found | ({TITLE: tags[TITLE]} if tags.get(TITLE) else {})
