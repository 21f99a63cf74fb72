import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ingestion import services
from ingestion.simulation import Record, plant_from_master_data, simulate

BODY_RECORDS = 500


class Command(BaseCommand):
    help = "Crea record realistici e li invia, via HTTP o direttamente in attesa di trasferimento."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--ore", type=int, default=24, help="ore di stabilimento (12 record l'ora)"
        )
        parser.add_argument("--seed", type=int, default=1, help="stesso seme, stessi record")
        parser.add_argument(
            "--inizio",
            type=datetime.fromisoformat,
            help="data e ora; se manca, in modo da finire ora",
        )
        parser.add_argument("--http", metavar="URL", help="invia a questo portale, con API_KEY")
        parser.add_argument("--json", action="store_true", help="risposta in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        hours = options["ore"]
        start = options["inizio"] or _whole_minute(timezone.now()) - timedelta(hours=hours)
        try:
            plant = plant_from_master_data()
        except LookupError as error:
            raise CommandError(
                "Mancano pezzi, macchinari o operatori: caricare le anagrafiche "
                "(per provare: manage.py loaddata --database production impianto_demo)."
            ) from error
        records = simulate(plant, timezone.localtime(start), hours, options["seed"])
        sent = bodies = 0
        while chunk := list(islice(records, BODY_RECORDS)):
            self._send(chunk, options["http"])
            sent += len(chunk)
            bodies += 1
        if options["json"]:
            self.stdout.write(json.dumps({"record": sent, "invii": bodies}))
        else:
            self.stdout.write(f"Inviati {sent} record in {bodies} richieste.")

    def _send(self, records: list[Record], url: str | None) -> None:
        body = json.dumps(records).encode()
        if url is None:
            services.store_lotto(
                records, body, nome_chiave="simula", headers={}, request_id="simula"
            )
            return
        request = urllib.request.Request(  # noqa: S310 - the maintainer names the portal
            f"{url.rstrip('/')}/insert-postgres",
            data=body,
            headers={"X-API-KEY": settings.API_KEY, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                answer.read()
        except urllib.error.URLError as error:
            raise CommandError(f"{url} non ha accettato i record: {error}") from error


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
