"""A plant of some size that worked until now: for the pages, which ask about the last days."""

from datetime import timedelta

from django.db import connections
from django.utils import timezone

from orders.models import Cliente, Magazzino
from production.models import Anomalia, Macchinario, Operatore, Pezzo
from tests.bench.rows import PIECES, insert, make_orders

MACHINES = 20
CYCLE_MINUTES = 20  # of one machine: with 20 of them one operation begins each minute
STOPS = ("UTENSILE", "GUASTO_MECCANICO", "MATERIALE", "ATTREZZAGGIO", "PAUSA")
KINDS = (1, 2, 3, 102, 103, 104, 106, 108)
RUNS = 2_000

RUNS_SQL = """
INSERT INTO esecuzione_etl (tipo, origine, avviata_da, stato, creata_il, iniziata_il, battito_il,
    finita_il, processo, letti, caricati, gia_presenti, in_errore, rimanenti, anomalie, messaggio,
    dettagli, request_id)
SELECT CASE WHEN n %% 2 = 0 THEN 'transfer' ELSE 'ordini' END, 'pianificata', '',
    CASE WHEN n %% 17 = 0 THEN 'PARZIALE' ELSE 'OK' END, moment, moment, moment, moment, '',
    60, 60, 0, 0, 0, 12, '', '{}', ''
FROM generate_series(1, %s) n,
    LATERAL (SELECT now() - (%s - n) * interval '30 minutes' AS moment) t
"""
LOTS_SQL = """
INSERT INTO lotto_ricevuto (nome_chiave, sha256, corpo, record, ricevuto_il, flusso,
    flusso_esecuzione, flusso_operazione, eliminati)
SELECT 'prova', repeat('0', 64), '', 10, now() - (%s - n) * interval '10 minutes', 'flusso', '',
    '', 0
FROM generate_series(1, %s) n
"""
RECORDS_SQL = """
INSERT INTO raw_operazione (id_ordine, codice_pezzo, codice_macchinario, timestamp_inizio,
    timestamp_fine, tipo_operazione, peso_effettivo, temperatura_effettiva, stato, errore_codice,
    errore_messaggio, ricevuto_il, elaborato_il)
SELECT (n %% 1000)::text, 'P01', 'M01', '2024-12-20T10:00:00Z', '2024-12-20T10:20:00Z',
    'forgiatura', '11', '1000', state, CASE WHEN state = 'ERROR' THEN 'X' END,
    CASE WHEN state = 'ERROR' THEN 'Motivo' END, moment,
    CASE WHEN state = 'PROCESSED' THEN moment END
FROM generate_series(1, %s) n, LATERAL (
    SELECT CASE WHEN n %% 2000 = 0 THEN 'ERROR' WHEN n > %s - 300 THEN 'PENDING'
        ELSE 'PROCESSED' END AS state, now() - (%s - n) * interval '13 seconds' AS moment) t
"""


def make_plant() -> None:
    """20 pieces, 20 machines, 5 operators, customers and a stock row for each piece."""
    Pezzo.objects.bulk_create(
        Pezzo(
            codice_pezzo=f"P{number:02}",
            nome=f"Pezzo {number}",
            peso_min=10,
            peso_max=12,
            fase_finale="cnc" if number % 2 else "forgiatura",
        )
        for number in range(PIECES)
    )
    Macchinario.objects.bulk_create(
        Macchinario(pk=f"M{number:02}", tipo="Tornio" if number % 2 else "Maglio")
        for number in range(MACHINES)
    )
    Operatore.objects.bulk_create(Operatore(pk=f"OOP{number}") for number in range(5))
    Cliente.objects.bulk_create(Cliente(nome=f"Cliente {number}") for number in range(500))
    Magazzino.objects.bulk_create(
        Magazzino(pezzo_id=f"P{number:02}", quantita_disponibile=number, scorta_minima=10)
        for number in range(PIECES)
    )


def make_all_orders(closed: int, waiting: int) -> None:
    """The last so many wait, with a tenth of them near their end and others begun long ago."""
    make_orders(1, closed, "COMPLETATO", 10)
    make_orders(closed + 1, waiting, "IN ATTESA", 10)
    with connections["production"].cursor() as cursor:
        cursor.execute("UPDATE ordine SET id_cliente = 1 + id_ordine MOD 500")
        cursor.execute(
            "UPDATE ordine SET data_inizio = DATE_SUB(CURDATE(), INTERVAL id_ordine MOD 60 DAY) "
            "WHERE stato = 'IN ATTESA'"
        )
        cursor.execute(
            "UPDATE pezzi_ordine SET quantita_rimanente = 1 "
            "WHERE id_ordine > %s AND id_ordine MOD 10 = 0",
            [closed],
        )


def make_operations(count: int, orders: int) -> None:
    """One a minute until now; machines take turns, the odd ones by CNC, one in ten stopped."""
    begin = f"'{_first_minute(count):%Y-%m-%d %H:%M}:00'"
    start = f"DATE_ADD({begin}, INTERVAL n.n MINUTE)"
    order, piece = f"1 + n.n MOD {orders}", f"CONCAT('P', LPAD(n.n DIV 7 MOD {PIECES}, 2, '0'))"
    insert(
        "operazioni (id_operazione, id_ordine, codice_pezzo, codice_macchinario, codice_operatore, "
        "timestamp_inizio, timestamp_fine, tipo_operazione, durata, da_contare)",
        f"n.n, {order}, {piece}, CONCAT('M', LPAD(n.n MOD {MACHINES}, 2, '0')), "
        f"CONCAT('OOP', n.n MOD 5), {start}, "
        f"DATE_ADD({start}, INTERVAL {CYCLE_MINUTES} MINUTE), "
        f"IF(n.n MOD 2, 'cnc', 'forgiatura'), {CYCLE_MINUTES * 60}, NULL",
        1,
        count,
    )
    insert(
        "forgiatura (id_operazione, peso_effettivo, temperatura_effettiva, esito)",
        "n.n, 11, 1000, 'CONFORME'",
        1,
        count,
        "n.n MOD 2 = 0",
    )
    stop = f"ELT(1 + n.n DIV 10 MOD {len(STOPS)}, {_texts(STOPS)})"
    insert(
        "cnc (id_operazione, numero_pezzi_ora, tipo_fermo, pezzi_prodotti)",
        f"n.n, 3, IF(n.n DIV 2 MOD 10 = 0, {stop}, 'NESSUNO'), 1",
        1,
        count,
        "n.n MOD 2 = 1",
    )
    insert(
        "movimento_produzione (id_operazione, id_ordine, codice_pezzo, esito, pezzi_us, pezzi, "
        "dati, eccedenza, esecuzione, creato_il)",
        f"n.n, {order}, {piece}, 'ORDINE', 3600000000, 1, 1, 0, n.n DIV 60, {start}",
        1,
        count,
    )
    insert(
        "movimento_magazzino (id_magazzino, quantita, causa, id_ordine, esecuzione, utente, "
        "motivo, creato_il)",
        f"1 + n.n MOD {PIECES}, IF(n.n MOD 2, 1, -1), "
        f"IF(n.n MOD 2, 'CARICO_PRODUZIONE', 'PRELIEVO_ORDINE'), {order}, n.n DIV 60, '', '', "
        f"{start}",
        1,
        count,
        "n.n MOD 5 = 0",
    )


def make_anomalies(count: int, operations: int) -> None:
    """Spread over all operations, of several kinds."""
    every = operations // count
    kind = f"ELT(1 + n.n DIV 3 MOD {len(KINDS)}, {', '.join(map(str, KINDS))})"
    begin = f"'{_first_minute(operations):%Y-%m-%d %H:%M}:00'"
    insert(
        "anomalia_operazione (id_anomalia, id_operazione, note, campo, valore_ricevuto, origine, "
        "creata_il)",
        f"{kind}, n.n * {every}, 'Nota di prova', 'peso_effettivo', '12,7', 'VALIDAZIONE', "
        f"DATE_ADD({begin}, INTERVAL n.n * {every} MINUTE)",
        1,
        count,
    )
    assert Anomalia.objects.filter(pk__in=KINDS).count() == len(KINDS)


def make_staging(records: int, lots: int) -> None:
    """A month of received records, most of them transferred, and runs, two an hour."""
    with connections["default"].cursor() as cursor:
        cursor.execute(RUNS_SQL, [RUNS, RUNS])
        cursor.execute(LOTS_SQL, [lots, lots])
        cursor.execute(RECORDS_SQL, [records, records, records])


def analyse() -> None:
    """The servers' own statistics, as they have them of tables that grew slowly."""
    tables = (
        "operazioni, cnc, forgiatura, anomalia_operazione, ordine, pezzi_ordine, "
        "movimento_produzione, movimento_magazzino"
    )
    with connections["production"].cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {tables}")
        cursor.fetchall()
    with connections["default"].cursor() as cursor:
        cursor.execute("ANALYZE")


def _first_minute(count: int) -> object:
    """Plant time at which the first of so many operations, one a minute, began."""
    last = timezone.localtime() - timedelta(minutes=CYCLE_MINUTES)
    return (last - timedelta(minutes=count)).replace(tzinfo=None)


def _texts(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
