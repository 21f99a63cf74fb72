"""The main job on MySQL 8 or its look-alike, with a collation that compares trailing blanks (no
pad)."""

import pytest
from django.core.management import call_command
from django.db import connections

from ingestion import jobs
from ingestion.models import EsecuzioneEtl
from ingestion.runs.running import carry_out
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione
from tests.builders import make_esecuzione, make_pezzo, make_plant, make_posted, make_posted_cnc

pytestmark = [
    pytest.mark.servers,
    pytest.mark.django_db(databases=["default", "production"], transaction=True),
]

NAME = "etl_mysql8"


@pytest.fixture
def mysql8(production_as):
    """A new database behind the look-alike, with the tables that its own migrations make."""
    maria = connections["production"].mysql_is_mariadb
    collation = "utf8mb4_unicode_nopad_ci" if maria else "utf8mb4_0900_ai_ci"
    with connections["production"].cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {NAME} COLLATE {collation}")
    try:
        with production_as(ENGINE="tests.mysql8", NAME=NAME):
            call_command("migrate", database="production", verbosity=0)
            make_plant()
            yield
    finally:
        with connections["production"].cursor() as cursor:
            cursor.execute(f"DROP DATABASE {NAME}")


def test_the_main_job_works_without_ids_from_inserts(api, mysql8, table_contents, assert_well):
    make_pezzo("pzc01")
    records = [
        *(make_posted(peso_effettivo=10 + n / 100) for n in range(200)),
        *(make_posted_cnc(tipo_fermo="mistero") for _ in range(100)),
        make_posted(codice_pezzo="pzc01"),
        make_posted(codice_pezzo="Pzc01"),
        make_posted(codice_pezzo=" PZC01 "),
        make_posted(tipo_operazione="tornitura"),
    ]
    api.post("/insert-postgres", records, content_type="application/json")

    run = carry_out(make_esecuzione(), jobs.TRANSFER)

    assert not connections["production"].features.can_return_rows_from_bulk_insert
    assert (run.stato, run.letti, run.caricati) == (EsecuzioneEtl.Stato.OK, 304, 304)
    assert (Forgiatura.objects.count(), Cnc.objects.count()) == (203, 100)
    assert run.anomalie == AnomaliaOperazione.objects.count()
    pieces = Operazione.objects.filter(pezzo__isnull=False).values_list("pezzo", flat=True)
    assert set(pieces) == {"PZC01", "PZC09", "pzc01"}
    assert_well()

    loaded = table_contents()
    assert carry_out(make_esecuzione(), jobs.TRANSFER).letti == 0
    assert table_contents() == loaded


def test_uids_are_text_there(mysql8):
    with connections["production"].cursor() as cursor:
        cursor.execute("SHOW COLUMNS FROM operazioni LIKE 'raw_uid'")
        assert cursor.fetchone()[1] == "char(32)"
