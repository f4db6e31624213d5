"""How the camera moves through a scene: slow, eased, never still. Pure."""

from __future__ import annotations

import math

from worker.storyboard.layers import View

ZOOM = 0.075  # a push-in of 7 % over a scene reads as a move, not as a jump
PAN_RATIO = 0.05  # of the frame width, for the nearest layers


def view_at(move: str, *, t_s: float, length_s: float, width: int, height: int) -> View:
    """Return the view `t_s` seconds into a scene of `length_s` seconds."""
    done = min(1.0, max(0.0, t_s / max(0.1, length_s)))
    eased = 0.7 * done + 0.3 * (done * done * (3 - 2 * done))
    breath = math.sin(t_s * 0.9)
    zoom, x, y = 1.02, 0.12 * breath, 0.08 * math.cos(t_s * 0.7)
    match move:
        case "push_in":
            zoom = 1.01 + ZOOM * eased
        case "pull_out":
            zoom = 1.01 + ZOOM * (1 - eased)
        case "pan_right":
            zoom, x = 1.03, x + (eased - 0.5)
        case "pan_left":
            zoom, x = 1.03, x - (eased - 0.5)
        case "rise":
            zoom, y = 1.04 + 0.02 * eased, y - 0.6 * (eased - 0.5)
        case "orbit":
            zoom = 1.03 + 0.03 * math.sin(math.pi * eased)
            x, y = x + 0.5 * math.sin(2.2 * (eased - 0.5)), y + 0.2 * math.cos(2.2 * (eased - 0.5))
        case _:
            raise ValueError(f"unknown camera move {move!r}")
    reach = PAN_RATIO * width
    return View(width, height, t_s, zoom, x * reach, y * reach * height / width)
