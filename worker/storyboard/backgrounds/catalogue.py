"""Every background by its name in `index.txt`."""

from __future__ import annotations

from collections.abc import Mapping

from worker.storyboard.backdrop import Painter
from worker.storyboard.backgrounds import abstract, city, diagrams, halls, land, micro, rooms, space, water

PAINTERS: Mapping[str, Painter] = {
    "space": space.space,
    "globe": space.globe,
    "black-hole": space.black_hole,
    "sky-day": land.sky_day,
    "sky-dusk": land.sky_dusk,
    "sky-night": land.sky_night,
    "storm": land.storm,
    "meadow": land.meadow,
    "forest": land.forest,
    "mountains": land.mountains,
    "desert": land.desert,
    "snow": land.snow,
    "road": land.road,
    "castle": land.castle,
    "ocean": water.ocean,
    "beach": water.beach,
    "underwater": water.underwater,
    "cells": micro.cells,
    "blood": micro.blood,
    "neurons": micro.neurons,
    "city-day": city.city_day,
    "city-night": city.city_night,
    "ancient": halls.ancient,
    "hall": halls.hall,
    "gallery": halls.gallery,
    "stage": halls.stage,
    "stadium": halls.stadium,
    "room": rooms.room,
    "bedroom": rooms.bedroom,
    "kitchen": rooms.kitchen,
    "table": rooms.table,
    "market": rooms.market,
    "laboratory": rooms.laboratory,
    "hospital": rooms.hospital,
    "classroom": rooms.classroom,
    "library": rooms.library,
    "workshop": rooms.workshop,
    "chart": diagrams.chart,
    "coins": diagrams.coins,
    "network": diagrams.network,
    "circuit": diagrams.circuit,
    "contours": diagrams.contours,
    "waves": diagrams.waves,
    "map": diagrams.map_,
    "soft": abstract.soft,
}
