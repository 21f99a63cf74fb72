"""The pictures of ``docs/immagini``: ``./run immagini``, or this module with another folder.

Of a portal of its own, on SQLite unless the environment names servers: a simulated day, moved and
counted as it went. In Italian, light, 1280 px wide; about two minutes.
"""

import sys
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import plant
from tests.browser.launch import chromium, log_in
from tests.portal import ROOT, LivePortal

FOLDER = ROOT / "docs" / "immagini"
MOST_BYTES = 300_000
WIDTH, LEAST = 1280, 600
HOURS, ORDERS = 24, 12
WHO = "admin"

# The day was played in a minute: its jobs, too, are put where the schedule has them.
HOURLY = """
from datetime import timedelta
from django.utils import timezone
from ingestion.models import EsecuzioneEtl

now = timezone.now()
for tipo, minute in (("transfer", 5), ("ordini", 10)):
    due = now.replace(minute=minute, second=1, microsecond=0)
    due -= timedelta(hours=due > now)
    for run in EsecuzioneEtl.objects.filter(tipo=tipo).order_by("-pk"):
        end = due + timedelta(seconds=2)
        times = {"creata_il": due, "iniziata_il": due, "battito_il": end, "finita_il": end}
        EsecuzioneEtl.objects.filter(pk=run.pk).update(**times)
        due -= timedelta(hours=1)
"""

# Picture → page, and how much of its height is shown (px), if there is as much.
PICTURES = {
    "oggi": ("/admin/", 1920),
    "operazioni": ("/admin/production/operazione/?tipo_operazione=forgiatura", 900),
    "operazione": ("/admin/production/anomaliaoperazione/?tipo=102", 1400),
    "anomalie": ("/admin/production/anomaliaoperazione/", 900),
    "anomalia": ("/admin/production/anomaliaoperazione/?tipo=102", 1400),
    "rifiutati": ("/admin/ingestion/rawoperazione/?stato__exact=ERROR", 700),
    "esecuzioni": ("/admin/ingestion/esecuzioneetl/", 900),
    "ordini": ("/admin/orders/ordine/", 900),
    "ordine": ("/admin/orders/ordine/?attenzione=ritardo", 1400),
    "scorta": ("/admin/orders/magazzino/", 1400),
    "registri": ("/admin/logviewer/registro/file/?file=etl", 900),
}
FIRST_ROW = "#result_list tbody th a"
# Picture → what is clicked on the way from the address to the page that is shown.
CLICKS = {
    "operazione": (FIRST_ROW, ".provenance a[href*='/production/operazione/']"),
    **dict.fromkeys(("anomalia", "ordine", "scorta"), (FIRST_ROW,)),
}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    with LivePortal() as portal, chromium() as browser:
        words = plant.add_people(portal)
        plant.add_day(portal, HOURS, ORDERS, jobs_every=1)
        portal.run_python(HOURLY)
        page = browser.new_page(
            base_url=portal.url,
            locale="it-IT",
            timezone_id="Europe/Rome",
            viewport={"width": WIDTH, "height": LEAST},
        )
        log_in(page, portal.url, WHO, words[WHO])
        for name, (address, height) in PICTURES.items():
            take(page, folder / f"{name}.png", address, height)


def take(page: Page, file: Path, address: str, height: int) -> None:
    page.set_viewport_size({"width": WIDTH, "height": LEAST})  # not what the last page had
    page.goto(address)
    for place in CLICKS.get(file.stem, ()):
        page.locator(place).first.click()
        page.wait_for_load_state()
    whole: int = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": min(whole, height)})
    size = len(page.screenshot(path=file, animations="disabled"))
    sys.stdout.write(f"{file.name}: {size:,} bytes\n")
    if size > MOST_BYTES:
        raise SystemExit(f"{file.name} is larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
