"""What a worker says about its machine."""

from __future__ import annotations

from pathlib import Path

from worker.machine import largest_gib, measured, vram_gib


def test_a_worker_without_a_gpu_has_no_gpu_memory_and_knows_its_free_disk(tmp_path: Path) -> None:
    told = measured(tmp_path, vram_gib=vram_gib(("cpu", "cpu")))
    assert told["vram_gib"] == 0
    assert (told["disk_free_gib"] or 0) > 0


def test_the_largest_gpu_counts_and_what_is_no_figure_is_unknown(tmp_path: Path) -> None:
    assert largest_gib("16384\n81920\n") == 80
    assert largest_gib("[N/A]\n") is None
    assert measured(tmp_path / "gone", vram_gib=None) == {"vram_gib": None, "disk_free_gib": None}
