"""Every background by its name in `index.txt`."""

from __future__ import annotations

from collections.abc import Mapping

from worker.storyboard.backdrop import Painter
from worker.storyboard.backgrounds import abstract, land, micro, space, water

PAINTERS: Mapping[str, Painter] = {
    "space": space.space, "globe": space.globe, "black-hole": space.black_hole,
    "sky-day": land.sky_day, "sky-dusk": land.sky_dusk, "sky-night": land.sky_night, "storm": land.storm,
    "meadow": land.meadow, "forest": land.forest, "mountains": land.mountains, "desert": land.desert,
    "snow": land.snow, "road": land.road, "castle": land.castle,
    "ocean": water.ocean, "beach": water.beach, "underwater": water.underwater,
    "cells": micro.cells, "blood": micro.blood, "neurons": micro.neurons,
    "soft": abstract.soft,
}  # fmt: skip
