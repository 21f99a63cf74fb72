"""The English of the portal is complete: nothing untranslated, doubtful, missing or left over."""

import ast
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parents[2]
ENGLISH = Path("etlportal/locale/en/LC_MESSAGES/django.po")
ITALIAN = Path("etlportal/locale/it/LC_MESSAGES/django.po")
SOURCES = ("etlportal", "ingestion", "production", "orders", "logviewer", "templates")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|{\w*}")


class Entry(NamedTuple):
    """One message: its ids (singular, plural), its translations, and the lines that mark it."""

    ids: tuple[str, ...]
    translations: tuple[str, ...]
    marks: tuple[str, ...]


def read_po(path: Path) -> list[Entry]:
    """The messages of a .po file, the header left out; what is commented out has no ids."""
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [read_entry(block) for block in blocks if 'msgid ""\nmsgstr ""\n"' not in block]


def read_entry(block: str) -> Entry:
    texts: dict[str, str] = {}
    key = ""
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith('"'):
            key, line = line.split(" ", 1)
        texts[key] = texts.get(key, "") + ast.literal_eval(line)
    return Entry(
        tuple(text for key, text in texts.items() if key.startswith("msgid")),
        tuple(text for key, text in texts.items() if key.startswith("msgstr")),
        tuple(line for line in block.splitlines() if line.startswith(("#,", "#|", "#~"))),
    )


@pytest.mark.parametrize("path", [ENGLISH, ITALIAN], ids=["English", "Italian"])
def test_every_message_is_translated_and_sure(path: Path) -> None:
    entries = read_po(ROOT / path)
    assert len(entries) > 50
    for entry in entries:
        assert entry.ids, f"left over: {entry.marks}"
        assert entry.translations, entry.ids
        assert all(entry.translations), entry.ids
        assert not any("fuzzy" in mark or mark.startswith("#|") for mark in entry.marks), entry.ids


@pytest.mark.parametrize("path", [ENGLISH, ITALIAN], ids=["English", "Italian"])
def test_translations_keep_the_placeholders(path: Path) -> None:
    for entry in read_po(ROOT / path):
        wanted = {tuple(sorted(PLACEHOLDER.findall(text))) for text in entry.ids}
        found = {tuple(sorted(PLACEHOLDER.findall(text))) for text in entry.translations}
        assert found == wanted, entry.ids


def test_no_message_of_the_code_is_missing_and_none_is_left_over(
    tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("xgettext") is None:
        pytest.skip("xgettext (package gettext) is not installed")
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc"))
    settings.LOCALE_PATHS = [tmp_path / "etlportal" / "locale"]
    monkeypatch.chdir(tmp_path)
    call_command("makemessages", locale=["en"], no_wrap=True, verbosity=0)
    collected = {entry.ids for entry in read_po(tmp_path / ENGLISH) if entry.ids}
    kept = {entry.ids for entry in read_po(ROOT / ENGLISH)}
    left_over = [entry.marks for entry in read_po(tmp_path / ENGLISH) if not entry.ids]
    assert collected - kept == set(), "run makemessages and translate (see the file's head)"
    assert left_over == [], "no longer in the code: remove"
