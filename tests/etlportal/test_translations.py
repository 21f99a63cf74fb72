"""The English of the portal is complete: nothing untranslated, doubtful, missing or left over.

So is the Italian of what packages of others show to the staff. In templates and scripts every word
goes through a translation: a text that does not would be missed by makemessages too.
"""

import ast
import gettext
import importlib.util
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parents[2]
ENGLISH = Path("etlportal/locale/en/LC_MESSAGES/django.po")
ITALIAN = Path("etlportal/locale/it/LC_MESSAGES/django.po")
SCRIPTS = Path("etlportal/locale/it/LC_MESSAGES/djangojs.po")
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


@pytest.mark.parametrize("path", [ENGLISH, ITALIAN, SCRIPTS], ids=["English", "Italian", "scripts"])
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


# --- Words of others --------------------------------------------------------------------------


def folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def marked_in(source: str) -> set[str]:
    """The texts that a module marks with ``_("…")``."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_"
        and isinstance(node.args[0], ast.Constant)
    }


def ours(path: Path) -> set[str]:
    return {entry.ids[0] for entry in read_po(ROOT / path) if entry.ids}


def test_every_word_of_the_queue_is_italian() -> None:
    folder = folder_of("django_q")
    texts = [(folder / name).read_text() for name in ("admin.py", "models.py")]
    marked = set().union(*map(marked_in, texts))
    assert len(marked) > 50
    assert marked - ours(ITALIAN) == set()


@pytest.mark.parametrize(
    ("package", "domain"),
    [
        ("django.contrib.admin", "django"),
        ("django.contrib.admin", "djangojs"),
        ("django.contrib.auth", "django"),
    ],
)
def test_every_word_of_the_admin_is_italian(package: str, domain: str) -> None:
    """What Django's own Italian lacks, ours has."""
    locale = folder_of(package) / "locale"
    texts = {entry.ids for entry in read_po(locale / f"en/LC_MESSAGES/{domain}.po")}
    with (locale / f"it/LC_MESSAGES/{domain}.mo").open("rb") as file:
        catalog: dict[object, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    plain = {key[0] if isinstance(key, tuple) else str(key) for key in catalog}
    theirs = {key.split("\x04")[-1] for key in plain}
    assert len(texts) > 20
    missing = {ids[0] for ids in texts if ids} - theirs
    assert missing - ours(SCRIPTS if domain == "djangojs" else ITALIAN) == set()


# --- Templates and scripts ------------------------------------------------------------------

BLOCK = re.compile(r"{% blocktrans(late)?\b.*?{% endblocktrans(late)? %}", re.S)
COMMENT = re.compile(r"{#.*?#}|{% comment %}.*?{% endcomment %}|<!--.*?-->|<!DOCTYPE[^>]*>", re.S)
CLASSES = re.compile(r"{% block (bodyclass|coltype) %}.*?{% endblock %}", re.S)
MARKUP = re.compile(r"{%.*?%}|{{.*?}}", re.S)
SHOWN = re.compile(r"""\b(?:title|alt|placeholder|aria-label|label)=(["'])(.*?)\1""", re.S)
TAG = re.compile(r"<(?:\"[^\"]*\"|'[^']*'|[^>\"'])*>")
WORD = re.compile(r"[^\W\d_]{3,}")
# Names that are the same in every language.
NAMES = {"English", "Italiano", "CSV", "API", "log"}


def bare_words(template: str) -> set[str]:
    """Words that a template shows as they are, in text or in an attribute that is read out."""
    text = CLASSES.sub(" ", BLOCK.sub(" ", COMMENT.sub(" ", template)))
    text = MARKUP.sub(" ", text)
    shown = " ".join(match[1] for match in SHOWN.findall(text))
    return set(WORD.findall(re.sub(r"&\w+;", " ", f"{TAG.sub(' ', text)} {shown}"))) - NAMES


def test_bare_words_are_seen() -> None:
    template = """{# una nota #}<p class="a" title="Ciao">{% translate "sì" %} Salva {{ x }}</p>"""
    assert bare_words(template) == {"Ciao", "Salva"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name
)
def test_templates_have_no_words_of_their_own(path: Path) -> None:
    assert bare_words(path.read_text(encoding="utf-8")) == set()


SAYS = re.compile(r"""(?:textContent|innerText|title|placeholder|ariaLabel)\s*=\s*["'`]|alert\(""")


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/static/**/*.js")), ids=lambda path: path.name)
def test_scripts_say_nothing_of_their_own(path: Path) -> None:
    """Words come with the page, where they are translated."""
    assert SAYS.findall(path.read_text(encoding="utf-8")) == []
