"""Builds `wordnet-nouns.xz` from the database files of WordNet 3.0; run by developers only, never by the product.

Usage: `python -m graphs.writing.facts.build_wordnet DIR`, DIR holding `data.noun` and `index.noun`, for example
`/usr/share/wordnet` of the Debian package `wordnet-base` 3.0-37.

Output, xz-compressed UTF-8, one synset a line, in file order: `lemmas TAB hypernyms TAB parts TAB gloss`.
`lemmas` is `name:rank` joined by `;` where rank counts from the lemma's most frequent sense (0), `hypernyms` and
`parts` are line numbers joined by `,`. Examples are dropped from glosses, and Latin taxa with
their kin are left out.
"""

from __future__ import annotations

import lzma
import re
import sys
from pathlib import Path

OUTPUT = Path(__file__).with_name("wordnet-nouns.xz")
HYPERNYMS = frozenset({"@", "@i"})
PART = "%p"
_LATIN = re.compile(r"\b(genus|family|order|class|suborder|superfamily|subfamily|phylum|division) [A-Z]")


def read_ranks(index: Path) -> dict[tuple[str, str], int]:
    """Return (lemma in lower case, synset offset) -> sense rank, 0 the most frequent."""
    ranks: dict[tuple[str, str], int] = {}
    for line in index.read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):
            continue
        fields = line.split()
        for rank, offset in enumerate(fields[-int(fields[2]) :]):
            ranks[fields[0], offset] = rank
    return ranks


def build(folder: Path) -> bytes:
    """Return the compressed extract of the WordNet database in `folder`."""
    ranks = read_ranks(folder / "index.noun")
    rows: list[tuple[str, list[str], list[str], list[str], str]] = []
    for line in (folder / "data.noun").read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):
            continue
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        count = int(fields[3], 16)
        names = [fields[4 + 2 * index] for index in range(count)]
        rest = fields[5 + 2 * count :]
        pointers = [(rest[index], rest[index + 1]) for index in range(0, len(rest) - 3, 4)]
        gloss = "; ".join(part.strip() for part in gloss.split(";") if not part.strip().startswith('"')).split('"')[0]
        if _LATIN.search(" ".join(names).replace("_", " ")) or (names[0][:1].isupper() and " genus" in f" {gloss}"):
            continue
        rows.append(
            (
                fields[0],
                [f"{name.replace('_', ' ')}:{ranks.get((name.lower(), fields[0]), 9)}" for name in names],
                [offset for symbol, offset in pointers if symbol in HYPERNYMS],
                [offset for symbol, offset in pointers if symbol == PART],
                gloss.strip(" ;"),
            )
        )
    lines = {row[0]: str(number) for number, row in enumerate(rows)}
    text = "\n".join(
        "\t".join(
            (
                ";".join(names),
                ",".join(lines[offset] for offset in hypernyms if offset in lines),
                ",".join(lines[offset] for offset in parts if offset in lines),
                gloss,
            )
        )
        for _, names, hypernyms, parts, gloss in rows
    )
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    OUTPUT.write_bytes(build(Path(sys.argv[1])))
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes")
