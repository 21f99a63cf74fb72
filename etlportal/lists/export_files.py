"""How the values of a list are written into a CSV file and into an Excel file.

CSV is what Excel opens by a double click in Italy: semicolons, comma decimals, UTF-8 with a mark,
dates as 22/11/2026 06:10:00. In Excel files numbers and dates are numbers and dates.

A text that a spreadsheet would take for a formula stays a text: in CSV behind an apostrophe, in
Excel files as a text cell marked as quoted, with its value unchanged. Numbers are never touched.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from typing import IO, Any

from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import SafeData
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

Cell = str | int | float | Decimal | date | None
Row = Sequence[Cell]

MARK = "\ufeff"  # without it Excel reads UTF-8 as the letters of an old code page
# OWASP, "CSV Injection"; the last four are the wide forms, which some spreadsheets read alike.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
LONGEST_TEXT = 32_767  # characters in one cell of Excel
MOST_DIGITS = 10**15  # Excel rounds longer numbers
# What XML 1.0 cannot hold: control characters and halves of surrogate pairs.
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
DAY, MOMENT = "dd/mm/yyyy", "dd/mm/yyyy hh:mm:ss"
WIDTH = 18  # of a column, in characters


def cell(value: Any, empty: str = "") -> Cell:
    """A value of a list as a cell: HTML becomes its text, date-times the plant's clock.

    ``empty``: the sign with which lists show that there is no value.
    """
    if value is None or value == empty:
        return None
    if isinstance(value, bool):
        return "sì" if value else "no"
    if isinstance(value, datetime):
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        return local.replace(tzinfo=None, microsecond=0)
    if isinstance(value, int | float | Decimal | date):
        return value
    if isinstance(value, SafeData):
        return unescape(strip_tags(str(value))).strip()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula; some skip blanks before it."""
    return text.startswith(FORMULA_STARTS) or text.lstrip().startswith(FORMULA_STARTS)


# --- CSV ----------------------------------------------------------------------------------


def csv_text(rows: Iterable[Row]) -> str:
    """Rows as lines of CSV."""
    target = io.StringIO()
    csv.writer(target, delimiter=";").writerows([[_csv(value) for value in row] for row in rows])
    return target.getvalue()


def _csv(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%d/%m/%Y %H:%M:%S")
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    if isinstance(value, float | Decimal):
        return f"{Decimal(str(value)).normalize():f}".replace(".", ",")
    if isinstance(value, str):
        return f"'{value}" if is_formula(value) else value
    return str(value)


# --- Excel --------------------------------------------------------------------------------


def write_xlsx(
    target: IO[bytes], title: str, rows: Iterable[Row], about: Iterable[tuple[str, Any]]
) -> None:
    """A sheet ``title`` with ``rows``, the first of them headings, and one that says what it is.

    ``title``: at most 31 characters. Rows are written as they come and not kept in memory.
    """
    book = Workbook(write_only=True)
    _fill(book.create_sheet(title), rows)
    _fill(book.create_sheet("Informazioni"), [[name, cell(value)] for name, value in about])
    book.save(target)


def _fill(sheet: Any, rows: Iterable[Row]) -> None:
    sheet.freeze_panes = "A2"
    for letter in "ABCDEFGHIJKLMNOPQRST":
        sheet.column_dimensions[letter].width = WIDTH
    for number, row in enumerate(rows):
        written = [_xlsx(sheet, value) for value in row]
        if number == 0:
            for heading in written:
                heading.font = Font(bold=True)
        sheet.append(written)


def _xlsx(sheet: Any, value: Cell) -> Any:
    if isinstance(value, int) and abs(value) >= MOST_DIGITS:
        value = str(value)
    if isinstance(value, str):
        written = WriteOnlyCell(sheet, NOT_XML.sub("\ufffd", value[:LONGEST_TEXT]))
        written.data_type = "s"  # whatever it looks like: openpyxl guesses formulas from the "="
        written.quotePrefix = is_formula(value)
        return written
    written = WriteOnlyCell(sheet, value)
    if isinstance(value, date):
        written.number_format = MOMENT if isinstance(value, datetime) else DAY
    return written
