"""Train the planner's learned reader from labelled goals: `python -m bench.train_reader`.

Writes planner/data/reader.npz. `--without kl` leaves out the cases and corpora with these first letters, to see how
the reader does on what it has not seen; then `--out` should name another file. Needs torch (`make models`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.planner_cases import HELD_OUT, Case, load
from planner import learned
from planner.brief import patterns
from planner.learned import BUCKETS, WEIGHTS, dense_features, word_buckets
from planner.meaning import MAX_CHARS, encoder
from schemas.brief import Deliverable as D
from schemas.planning import PlanRequest

CORPUS = WEIGHTS.parent
NAMES = {
    "video": D.VIDEO, "talking": D.TALKING_VIDEO, "math": D.MATH_ANIMATION, "scene": D.SCENE_ANIMATION,
    "model3d": D.MODEL3D, "svg": D.SVG, "image": D.IMAGE, "audio": D.AUDIO, "script": D.SCRIPT, "lora": D.LORA,
    "voice": D.VOICE, "upscale": D.UPSCALED_VIDEO, "lipsync": D.LIPSYNCED_VIDEO, "memory": D.MEMORY,
    "publish": D.PUBLICATION,
}  # fmt: skip
"""How the corpora spell a deliverable."""


@dataclass(frozen=True)
class Labelled:
    """A goal, what it wants, and the file it comes from."""

    source: str
    goal: str
    wants: frozenset[D]


def corpora() -> Iterator[Labelled]:
    """Yield the labelled goals of planner/data."""
    for path in sorted(CORPUS.glob("goals_*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            yield Labelled(path.stem[-1], row["goal"], frozenset(NAMES[want] for want in row["wants"]))


def cases() -> Iterator[Labelled]:
    """Yield the dev cases whose label follows from what they expect."""
    for case in load(seed=1):
        wants = None if case.split == HELD_OUT else wanted(case)
        if wants is not None:
            yield Labelled(case.id[0], case.goal, wants)


def wanted(case: Case) -> frozenset[D] | None:
    """Return what a case's goal wants by the tasks it must include; None where they do not tell."""
    tasks, want = set(case.expect.include), case.expect
    if want.error and want.error != "unsatisfiable_goal":
        return None
    if want.error:
        read = patterns(PlanRequest.model_validate(case.request() | {"capabilities_manifest": None}))
        nothing = not want.names and "all" in case.manifest.systems
        return frozenset() if nothing or not read.wanted else None
    if case.manifest.add:
        return None
    found: set[D] = set()
    if "render_video" in tasks:
        talks = want.params.get("render_video", {}).get("variant") == "sadtalker"
        found.add(D.TALKING_VIDEO if talks else D.VIDEO)
    if "synthesize_speech" in tasks:
        found.add(D.AUDIO)
    elif "script.generateScript" in tasks and not found:
        found.add(D.SCRIPT)
    if "render_scene" in tasks:
        found.add(D.SCENE_ANIMATION)
    elif "svg_to_3d" in tasks or "image_to_3d" in tasks:
        found.add(D.MODEL3D)
    if "svg.generateSvg" in tasks and "render_scene" not in tasks:
        found.add(D.SVG)  # of which a 3D model may be made besides
    if "text_to_image" in tasks and "image_to_3d" not in tasks:
        found.add(D.IMAGE)
    for task, item in (
        ("render_manim", D.MATH_ANIMATION), ("train_lora", D.LORA), ("train_voice", D.VOICE),
        ("upscale_video", D.UPSCALED_VIDEO), ("apply_lipsync", D.LIPSYNCED_VIDEO), ("memory.store", D.MEMORY),
        ("artifacts.publishPublic", D.PUBLICATION),
    ):  # fmt: skip
        if task in tasks:
            found.add(item)
    return frozenset(found) or None


def train(rows: list[Labelled], *, decay: float, epochs: int, doubt: float, seed: int = 0) -> dict[str, Any]:
    """Return the weights as arrays.

    Args:
        doubt: share of the dev cases whose patterns are hidden, since the patterns were written beside them.
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(2)
    rng = np.random.default_rng(seed)
    dense, bags, labels = [], [], []
    for row in rows:
        read = patterns(PlanRequest(goal=row.goal))
        hidden = row.source <= "j" and rng.random() < doubt
        dense.append(
            dense_features(row.goal, () if hidden else read.wanted, is_guess=False if hidden else read.is_guess)
        )
        bags.append(word_buckets(row.goal))
        labels.append([float(item in row.wants) for item in D])
    x, y = torch.tensor(np.stack(dense)), torch.tensor(labels)
    linear = torch.nn.Linear(x.shape[1], len(D), bias=False)
    words = torch.nn.EmbeddingBag(BUCKETS, len(D), mode="sum")
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(words.weight)
    optimizer = torch.optim.AdamW([*linear.parameters(), *words.parameters()], lr=4e-3, weight_decay=decay)
    for _ in range(epochs):
        for batch in torch.randperm(len(rows)).split(64):
            flat = torch.tensor(np.concatenate([bags[at] for at in batch]))
            sizes = torch.tensor([len(bags[at]) for at in batch])
            starts = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)[:-1]])
            scale = sizes.clamp(min=1).rsqrt().unsqueeze(1)
            logits = linear(x[batch]) + words(flat, starts) * scale
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"dense": linear.weight.detach().numpy().T, "words": words.weight.detach().numpy()}


def _remember_vectors(goals: list[str]) -> None:
    """Compute all sentence vectors in one batch, which is three times as fast; `vector` then finds them."""
    texts = [goal[:MAX_CHARS].strip() for goal in goals]
    found = dict(zip(texts, encoder().encode(texts), strict=True))
    learned.vector = lambda text: np.asarray(found[text[:MAX_CHARS].strip()], np.float32)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description="Train the planner's learned reader from labelled goals.")
    parser.add_argument("--without", default="", help="first letters of the sources to leave out")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--doubt", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5, help="trainings whose weights are averaged")
    given = parser.parse_args()
    rows = [row for row in (*corpora(), *cases()) if row.source not in given.without]
    _remember_vectors([row.goal for row in rows])
    rounds = [
        train(rows, decay=given.decay, epochs=given.epochs, doubt=given.doubt, seed=seed)
        for seed in range(given.rounds)
    ]
    dense, words = (np.mean([each[name] for each in rounds], axis=0) for name in ("dense", "words"))
    names = np.array([item.value for item in D])
    np.savez_compressed(given.out, names=names, dense=dense.astype(np.float32), words=words.astype(np.float16))
    print(f"{len(rows)} goals -> {given.out} ({given.out.stat().st_size / 1024:.0f} KiB)")


if __name__ == "__main__":
    main()
