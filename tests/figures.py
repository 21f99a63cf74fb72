"""Figures of the project: ``python -m tests.figures [REPORT.xml …]``.

How the code is cut (its lines are those that are not empty) and, of the reports that
``RAPPORTI=FOLDER ./run test`` leaves, where the tests' time goes. They say when something has
grown that nobody looked at.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median, quantiles
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
CODE = ("etlportal", "ingestion", "production", "orders", "logviewer")
LIVE = ("tests.browser", "tests.e2e")  # what looks at a living portal
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(folders: Iterable[str]) -> dict[Path, ast.Module]:
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return {file: ast.parse(file.read_text()) for file in files if "migrations" not in file.parts}


def lines(file: Path) -> int:
    """Without the empty ones."""
    return sum(1 for line in file.read_text().splitlines() if line.strip())


def nodes(trees: Iterable[ast.Module], *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    return (node for tree in trees for node in ast.walk(tree) if isinstance(node, kinds))


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def is_value(definition: ast.ClassDef) -> bool:
    """A dataclass or a named tuple."""
    marks = [ast.unparse(each) for each in (*definition.bases, *definition.decorator_list)]
    return any("NamedTuple" in mark or "dataclass" in mark for mark in marks)


def of_the_code() -> list[tuple[str, object]]:
    found = modules(CODE)
    trees = found.values()
    files = [lines(file) for file in found]
    functions = list(nodes(trees, ast.FunctionDef, ast.AsyncFunctionDef))
    lengths = [length(function) for function in functions]
    classes = list(nodes(trees, ast.ClassDef))
    uses = Counter(name.id for name in nodes(trees, ast.Name))
    uses += Counter(name.attr for name in nodes(trees, ast.Attribute))
    private = [each.name for each in functions if each.name.startswith("_") and each.name[1] != "_"]
    names = Counter(each.name for each in classes if each.name not in {"Meta", "Media"})
    return [
        ("files", len(files)),
        ("lines", sum(files)),
        ("files: median of lines", median(files)),
        ("functions", len(functions)),
        ("functions per 1,000 lines", round(1000 * len(functions) / sum(files), 1)),
        ("functions: median of lines", median(lengths)),
        ("functions: 95 in 100 have at most lines", round(quantiles(lengths, n=20)[-1])),
        ("private functions", len(private)),
        ("private functions used once", sum(uses[name] == 1 for name in private)),
        ("classes", len(classes)),
        ("value classes", sum(map(is_value, classes))),
        ("class names with more than one meaning", sum(count > 1 for count in names.values())),
    ]


def of_the_tests() -> list[tuple[str, object]]:
    found = modules(["tests"])
    functions = nodes(found.values(), ast.FunctionDef)
    return [
        ("files of tests", sum(file.name.startswith("test_") for file in found)),
        ("lines of tests", sum(map(lines, found))),
        ("functions that test", sum(each.name.startswith("test_") for each in functions)),
    ]


def of_reports(reports: Iterable[Path]) -> list[tuple[str, object]]:
    """Tests and their seconds, by kind and by folder; two processes share the seconds."""
    tests: dict[str, list[float]] = defaultdict(list)
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
            parts = case.attrib["classname"].split(".")
            kind = "living portal" if ".".join(parts[:2]) in LIVE else "in the tests' process"
            for group in (kind, "/".join(parts[:2])):
                tests[f"{report.stem}: {group}"].append(float(case.attrib["time"]))
    return [
        (group, f"{len(seconds)} tests, {sum(seconds):.0f} s")
        for group, seconds in sorted(tests.items(), key=lambda item: -sum(item[1]))
    ]


def main() -> None:
    reports = [Path(name) for name in sys.argv[1:]]
    for name, figure in [*of_the_code(), *of_the_tests(), *of_reports(reports)]:
        sys.stdout.write(f"{name:<48} {figure}\n")


if __name__ == "__main__":
    main()
