"""What a drawing shows, read back from its SVG."""

import re
from typing import NamedTuple
from xml.etree import ElementTree

from etlportal.lists.drawing import Drawing

BLOCK = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z")


class Box(NamedTuple):
    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str = ""
    pattern: str = ""


def root_of(drawing: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(str(drawing))  # noqa: S314 (our own)


def boxes(drawing: Drawing) -> list[Box]:
    """Every rectangle, those drawn as parts of one path too."""
    found = []
    for mark in root_of(drawing):
        kind = mark.get("class", "")
        if mark.tag == "rect":
            sizes = [float(mark.get(name, "")) for name in ("x", "y", "width", "height")]
            title = mark.findtext("title") or ""
            pattern = mark.get("fill", "").removeprefix("url(#pattern-").removesuffix(")")
            found.append(Box(kind, *sizes, title, pattern))
        if mark.tag == "path":
            path = mark.get("d", "")
            parts = BLOCK.findall(path)
            assert "".join(BLOCK.split(path)[::5]) == "", "a path of something else"
            found += [Box(kind, *map(float, part)) for part in parts]
    return found


def points(drawing: Drawing, kind: str) -> list[tuple[float, float]]:
    """The points of the lines of this kind."""
    lines = [line for line in root_of(drawing) if line.get("class") == kind]
    pairs = [pair for line in lines for pair in line.get("points", "").split()]
    return [(float(pair.split(",")[0]), float(pair.split(",")[1])) for pair in pairs]


def texts(drawing: Drawing, kind: str = "") -> list[str]:
    return [
        mark.text or ""
        for mark in root_of(drawing)
        if mark.tag == "text" and kind in [*mark.get("class", "").split(), ""]
    ]
