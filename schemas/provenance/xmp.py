"""An XMP packet with a record inside: what PNG, JPEG, MP4 and SVG have a place for, and photo tools show.

Source: ISO 16684-1 (XMP). The record is one property of our own namespace, `reelgraph:record`, as an element. Its text
needs no escapes (`Provenance.text`), so it is found again without parsing XML that a stranger wrote.
"""

from __future__ import annotations

import re

NAMESPACE = "urn:reelgraph:provenance"
MARK = b"<reelgraph:record>"
_RECORD = re.compile(rb"<reelgraph:record>([^<>&]*)</reelgraph:record>")
_PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:reelgraph="{namespace}">'
    "<xmp:CreatorTool>Reelgraph</xmp:CreatorTool><reelgraph:record>{text}</reelgraph:record>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def packet(text: str) -> bytes:
    """Return the packet that holds the text of a record."""
    return _PACKET.format(namespace=NAMESPACE, text=text).encode("ascii")


def text_in(data: bytes) -> bytes | None:
    """Return the text of the first record in `data`, or None."""
    found = _RECORD.search(data)
    return found[1] if found else None
