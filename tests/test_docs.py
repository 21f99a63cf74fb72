"""What the documents say that the code says too: settings, endpoints, commands, tables, files."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.urls import URLPattern, get_resolver
from django.utils.text import slugify

from ingestion.runs import failures
from production.catalogue import AnomaliaId

ROOT = Path(__file__).parent.parent
OURS = ("etlportal", "ingestion", "production", "orders", "logviewer")
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SOURCES = [
    file
    for folder in (*OURS, "tests", "templates")
    for file in sorted((ROOT / folder).rglob("*"))
    if file.suffix in {".py", ".html", ".yaml", ".css", ".js"}
]
CODE = re.compile(r"`([^`]+)`")
SETTING = re.compile(r"^(#?)([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)
# Their example in .env.example is no default: without them there is none, or one of our own.
EXAMPLES = {
    *("SECRET_KEY", "API_KEY", "API_KEY_PEPPER", "DATABASE_URL", "PRODUCTION_DATABASE_URL"),
    *("DATA_DIR", "LOG_DIR", "CSRF_TRUSTED_ORIGINS", "PORTALE_URL"),
    *("AVVISI_EMAIL", "AVVISI_WEBHOOK", "AVVISI_MITTENTE", "EMAIL_URL"),
}


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def prose(document: Path) -> str:
    """Without what stands between fences."""
    return re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)


def chapter(text: str, title: str) -> str:
    """What stands under a heading, down to the next one that is not below it."""
    _, head, rest = re.split(rf"^(#+) {re.escape(title)}\n", text, maxsplit=1, flags=re.M)
    return re.split(rf"^#{{1,{len(head)}}} ", rest, maxsplit=1, flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables, without their headings."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        lines = table.splitlines()[2:]
        found += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return found


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {slugify(head.replace("`", ""), allow_unicode=True) for head in heads}


def test_every_setting_is_described_with_its_default():
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    defaults = {name: value for _, name, value in SETTING.findall(example)}
    described = {
        CODE.findall(name)[0]: CODE.findall(default)
        for name, default, _ in rows(chapter(read("contratto.md"), "Impostazioni"))
    }
    assert described.keys() == defaults.keys()
    for name in defaults.keys() - EXAMPLES:
        assert described[name] == [defaults[name]], name


def options_of(parser: ArgumentParser) -> list[set[str]]:
    """The spellings of each option that is the command's own."""
    common = {
        spelling
        for action in BaseCommand().create_parser("", "")._actions
        for spelling in action.option_strings
    }
    spelled = [set(action.option_strings) for action in parser._actions]
    return [spellings for spellings in spelled if spellings - common]


def parsers() -> Iterator[tuple[str, ArgumentParser]]:
    """Of our commands; of one that has several acts, one an act."""
    for name, app in get_commands().items():
        if app in OURS and name != "migrate":  # Django's, for both databases
            parser = load_command_class(app, name).create_parser("", name)
            named = [action for action in parser._actions if not action.option_strings]
            acts = [action.choices for action in named if isinstance(action.choices, dict)]
            if acts:
                yield from ((f"{name} {act}", of_act) for act, of_act in acts[0].items())
            else:
                yield name, parser


def test_every_command_is_described_with_its_options():
    described = {
        CODE.findall(name)[0]: {code.split()[0] for code in CODE.findall(options)}
        for name, options, *_ in rows(chapter(read("contratto.md"), "Comandi"))
    }
    described.pop("migrate")
    commands = dict(parsers())
    assert described.keys() == commands.keys()
    for name, parser in commands.items():
        options = options_of(parser)
        told = {option for option in described[name] if option.startswith("-")}
        assert told <= set().union(*options), name
        assert [spellings for spellings in options if not spellings & told] == [], name


def test_every_endpoint_is_described():
    routes = [
        pattern.name
        for resolver in get_resolver().url_patterns
        for pattern in getattr(resolver, "url_patterns", [resolver])
        if isinstance(pattern, URLPattern) and "api/v1" in str(pattern.pattern)
    ]
    table = chapter(read("contratto.md"), "Indirizzi")
    told = {
        *re.findall(r"`(?:GET|POST) /(?:api/v1/)?([^`]+)`", table),
        *re.findall(r"`/([a-z-]+)`", table),
    }
    named_apart = {"esecuzione": "esecuzioni/…"}
    connector = {"connector-definition", "connector-properties"}
    assert len(routes) > 10
    assert {named_apart.get(name, name) for name in routes} - connector <= told


@pytest.mark.parametrize(
    ("alias", "labels"),
    [("PostgreSQL", ("ingestion", "etlportal")), ("MySQL", ("production", "orders"))],
)
def test_every_table_is_described_with_its_columns(alias, labels):
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    tables = {
        model._meta.db_table: [field.column for field in model._meta.local_concrete_fields]
        for model in models
    }
    described = {
        CODE.findall(name)[0]: CODE.findall(columns)
        for name, _, columns in rows(chapter(read("contratto.md"), alias))
    }
    assert described == tables


def test_every_anomaly_is_described():
    catalogue = rows(chapter(read("regole.md"), "Catalogo delle anomalie"))
    assert {int(number): name for number, name, *_ in catalogue} == {
        kind.value: kind.name for kind in AnomaliaId
    }


def test_the_codes_of_each_kind_of_failure_are_told():
    told = {row[0]: row[1] for row in rows(chapter(read("affidabilita.md"), "Guasti"))}
    for kind, codes in (
        ("passeggero", failures.MYSQL_PASSING),
        ("dati", failures.MYSQL_DATA),
        ("spazio", failures.MYSQL_RESOURCE),
    ):
        of_mysql = told[kind].partition("PostgreSQL")[0]
        assert {int(code) for code in re.findall(r"\b\d{4}\b", of_mysql)} == codes, kind


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_links_lead_somewhere(document):
    for address in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if "://" in address:
            continue
        name, _, anchor = address.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), address
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), address


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_files_that_are_named_exist(document):
    """With their folder; one that is named alone belongs to the folder that was just said."""
    for code in CODE.findall(prose(document)):
        if re.fullmatch(rf"(?:{'|'.join(OURS)}|tests|docs|templates)/[\w./-]+", code):
            assert (ROOT / code).exists(), code


def test_citations_name_a_document_and_one_of_its_headings():
    """``docs/regole.md, "Ordini"``, wherever code and tests cite the rules."""
    cited = 0
    for source in SOURCES:
        text = re.sub(r"\s*\n[ #*]*", " ", source.read_text(encoding="utf-8"))
        for name, head in re.findall(r'([\w/-]+\.md)\b(?:, "([^"]+)")?', text):
            document = next((f for f in (ROOT / name, ROOT / "docs" / name) if f.exists()), None)
            assert document, (source, name)
            cited += 1
            if head:
                heads = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.M)
                assert head in heads, (source, name, head)
    assert cited > 0
