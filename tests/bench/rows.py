"""Rows by the hundred thousand, made by the servers themselves: INSERT … SELECT over numbers."""

from collections.abc import Iterator

from django.db import connections

from production.models import Macchinario, Operatore, Pezzo

ALIAS = "production"
STATEMENT_ROWS = 100_000  # a statement must end within the connection's timeout
PIECES = 20
FIRST_DAY = "2024-01-01 06:00:00"

# 0 … 999,999, of which a statement takes the span that it needs. It runs on MySQL 8 as well.
NUMBERS = """
WITH RECURSIVE digits (d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM digits WHERE d < 99)
SELECT {first} + high.d * 10000 + middle.d * 100 + low.d AS n
FROM digits high, digits middle, digits low
WHERE high.d * 10000 + middle.d * 100 + low.d < {count}
"""


def make_master_data() -> None:
    """20 pieces with limits, of which the odd ones are ended by CNC; two machines, one operator."""
    Pezzo.objects.bulk_create(
        Pezzo(
            codice_pezzo=f"P{number:02}",
            nome=f"Pezzo {number}",
            peso_min=10,
            peso_max=12,
            temperatura_min=900,
            temperatura_max=1100,
            fase_finale="cnc" if number % 2 else "forgiatura",
        )
        for number in range(PIECES)
    )
    Macchinario.objects.bulk_create(Macchinario(pk=code) for code in ("FRG01", "CNC01"))
    Operatore.objects.create(pk="OOP1")


def make_orders(first: int, count: int, stato: str, pezzi: int) -> None:
    """Orders of two lines each, for so many pieces a line; of COMPLETATO none are left to make."""
    day = "DATE_ADD('2020-01-01', INTERVAL n.n DIV 30 DAY)"
    insert(
        "ordine (id_ordine, data_inizio, data_fine, totale_pezzi, stato, fittizio)",
        f"n.n, {day}, {day if stato == 'COMPLETATO' else 'NULL'}, {2 * pezzi}, '{stato}', 0",
        first,
        count,
    )
    left = 0 if stato == "COMPLETATO" else pezzi
    for line in range(2):
        insert(
            "pezzi_ordine (id_ordine, id_pezzo, quantita_totale, quantita_rimanente, prelevati)",
            f"n.n, {_piece(f'2 * n.n + {line}')}, {pezzi}, {left}, 0",
            first,
            count,
        )


def make_operations(
    first: int, count: int, first_order: int, orders: int, *, counted: bool
) -> None:
    """Operations, every other one by CNC (3 pieces an hour for 20 minutes, so one piece), with
    their details; they follow the lines of the orders. ``counted``: with their ledger rows.
    """
    order = f"{first_order} + (n.n - {first}) DIV 2 MOD {orders}"
    piece = _piece(f"2 * ({order}) + n.n MOD 2")
    insert(
        "operazioni (id_operazione, id_ordine, codice_pezzo, codice_macchinario, codice_operatore, "
        "timestamp_inizio, timestamp_fine, tipo_operazione, raw_uid, durata, da_contare)",
        f"n.n, {order}, {piece}, IF(n.n MOD 2, 'CNC01', 'FRG01'), 'OOP1', {_start()}, "
        f"DATE_ADD({_start()}, INTERVAL 20 MINUTE), IF(n.n MOD 2, 'cnc', 'forgiatura'), {_uuid()}, "
        f"1200, {'NULL' if counted else '1'}",
        first,
        count,
    )
    insert(
        "forgiatura (id_operazione, peso_effettivo, temperatura_effettiva, esito)",
        "n.n, 11, 1000, 'CONFORME'",
        first,
        count,
        "n.n MOD 2 = 0",
    )
    insert(
        "cnc (id_operazione, numero_pezzi_ora, tipo_fermo, pezzi_prodotti)",
        "n.n, 3, 'NESSUNO', 1",
        first,
        count,
        "n.n MOD 2 = 1",
    )
    if counted:
        insert(
            "movimento_produzione (id_operazione, id_ordine, codice_pezzo, esito, pezzi_us, pezzi, "
            "dati, eccedenza, esecuzione, creato_il)",
            f"n.n, {order}, {piece}, 'ORDINE', 3600000000, 1, 1, 0, 0, {_start()}",
            first,
            count,
        )


def analyse() -> None:
    """The servers' own statistics, as they have them of tables that grew slowly."""
    tables = ("operazioni", "cnc", "movimento_produzione", "ordine", "pezzi_ordine", "forgiatura")
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {', '.join(tables)}")
        cursor.fetchall()


def _piece(number: str) -> str:
    """The code of a piece; the odd lines of an order are for pieces that CNC ends."""
    return f"CONCAT('P', LPAD(({number}) MOD {PIECES}, 2, '0'))"


def _start() -> str:
    return f"DATE_ADD('{FIRST_DAY}', INTERVAL n.n MINUTE)"


def _uuid() -> str:
    """Time-ordered like those of the portal, in the form that this server keeps."""
    text = "CONCAT('0193e3a5-0000-7000-8000-', LPAD(HEX(n.n), 12, '0'))"
    native = connections[ALIAS].features.has_native_uuid_field
    return text if native else f"LOWER(REPLACE({text}, '-', ''))"


def insert(target: str, values: str, first: int, count: int, where: str = "TRUE") -> None:
    for start, size in _spans(first, count):
        numbers = NUMBERS.format(first=start, count=size)
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {target} SELECT {values} FROM ({numbers}) n WHERE {where} "
                "ORDER BY n.n"
            )


def _spans(first: int, count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, STATEMENT_ROWS):
        yield first + start, min(STATEMENT_ROWS, count - start)
