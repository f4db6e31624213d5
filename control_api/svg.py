"""A safe copy of an SVG: known elements and attributes only, nothing that acts, reaches out or multiplies. Pure.

Source of the rules: RELIABILITY.md 5.5 (CairoSVG CVE-2026-31899 and CVE-2023-27586 show why).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, register_namespace, tostring

MAX_ELEMENTS, MAX_DEPTH, MAX_DRAWN = 20_000, 64, 10_000
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_PLAIN_DOCTYPE = re.compile(rb"<!DOCTYPE\s+svg\s+(?:PUBLIC|SYSTEM)[^\[<>]*>")
_URL = re.compile(r"url\(\s*['\"]?(?!#)[^)]*\)|@import[^;]*;?|expression\(|javascript:", re.IGNORECASE)
_ELEMENTS = frozenset([
    "svg", "g", "defs", "symbol", "use", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline",
    "polygon", "text", "tspan", "textPath", "image", "marker", "linearGradient", "radialGradient", "stop", "pattern",
    "clipPath", "mask", "style", "switch", "a", "filter", "feBlend", "feColorMatrix", "feComponentTransfer",
    "feComposite", "feConvolveMatrix", "feDiffuseLighting", "feDisplacementMap", "feDistantLight", "feDropShadow",
    "feFlood", "feFuncA", "feFuncB", "feFuncG", "feFuncR", "feGaussianBlur", "feMerge", "feMergeNode", "feMorphology",
    "feOffset", "fePointLight", "feSpecularLighting", "feSpotLight", "feTile", "feTurbulence",
])  # fmt: skip


class HostileSvg(Exception):
    """Raised when an SVG may not be used at all; says why."""


def cleaned(source: bytes) -> tuple[bytes, int]:
    """Return the safe copy and its number of elements.

    Raises:
        HostileSvg: it has a DOCTYPE with content or entities, another root, or is too complex.
        ParseError: it is not XML.
    """
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    text = _PLAIN_DOCTYPE.sub(b"", source, count=1)  # graphviz and matplotlib write one; it is never read
    try:
        root = ElementTree.fromstring(text, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        raise HostileSvg("the SVG has a DOCTYPE or entities") from None
    if root.tag not in {"svg", f"{{{_SVG}}}svg"}:
        raise HostileSvg("the root element is not <svg>")
    count = _counted(root)
    _clean(root)
    _check_drawn(root)
    register_namespace("", _SVG)
    register_namespace("xlink", _XLINK)
    return tostring(root, encoding="utf-8"), count


def _counted(root: Element) -> int:
    count, depth, layer = 0, 0, [root]
    while layer:
        count, depth = count + len(layer), depth + 1
        if count > MAX_ELEMENTS or depth > MAX_DEPTH:
            raise HostileSvg(f"the SVG is too complex: allowed are {MAX_ELEMENTS} elements, depth {MAX_DEPTH}")
        layer = [child for element in layer for child in element]
    return count


def _clean(element: Element) -> None:
    for name, value in list(element.attrib.items()):
        local = _local(name)
        if local.lower().startswith("on") or (local == "href" and not _may_link(value)):
            del element.attrib[name]
        elif _URL.search(value):
            element.attrib[name] = _URL.sub("none", value)
    if element.text and _local(element.tag) == "style":
        element.text = _URL.sub("none", element.text)
    for child in list(element):
        if _local(child.tag) not in _ELEMENTS or _namespace(child.tag) not in {"", _SVG}:
            element.remove(child)
        else:
            _clean(child)


def _check_drawn(root: Element) -> None:
    """Refuse a drawing whose `<use>` multiply beyond what a renderer can draw, or call themselves."""
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    known: dict[Element, int] = {}

    def drawn(element: Element, above: frozenset[Element]) -> int:
        if element in above:
            raise HostileSvg("the SVG uses itself")
        if element not in known:
            total = 1 + sum(drawn(each, above | {element}) for each in _drawn_by(element, by_id))
            if total > MAX_ELEMENTS + MAX_DRAWN:
                raise HostileSvg(f"the SVG draws too much: allowed are {MAX_DRAWN} used elements")
            known[element] = total
        return known[element]

    drawn(root, frozenset())


def _drawn_by(element: Element, by_id: dict[str | None, Element]) -> Iterator[Element]:
    yield from element
    if _local(element.tag) == "use":
        target = by_id.get((element.get("href") or element.get(f"{{{_XLINK}}}href") or "").removeprefix("#"))
        if target is not None:
            yield target


def _may_link(value: str) -> bool:
    return value.startswith(("#", "data:image/png;base64,"))


def _local(name: str) -> str:
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def _namespace(name: str) -> str:
    return name.partition("}")[0].removeprefix("{") if isinstance(name, str) and name.startswith("{") else ""
