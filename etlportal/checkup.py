"""The whole of ``check_etl``: the flow's own checks, and those of what is composed around it."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from etlportal.checks import MIN_KEY_LENGTH, check_mysql
from etlportal.models import ChiaveApi
from ingestion.watch import checkup, health
from ingestion.watch.checkup import NOT_JUDGED, Check, Look, asking, well, wrong

KEY_EXPIRES_SOON = timedelta(days=14)


@asking("production")
def check_strict_mode() -> Check:
    if errors := check_mysql(databases=["production"]):
        return wrong(" ".join(error.msg for error in errors))
    return well("Il database di produzione rifiuta i valori troncati e conserva ogni carattere.")


def check_keys() -> Check:
    """The first key long enough; no living one about to expire."""
    if len(settings.API_KEY) < MIN_KEY_LENGTH:
        return wrong(f"API_KEY è troppo corta: servono almeno {MIN_KEY_LENGTH} caratteri.")
    if not health.reachable("default"):
        return NOT_JUDGED
    now = timezone.now()
    alive = ChiaveApi.objects.alive(now)
    expiring = alive.filter(scade_il__lt=now + KEY_EXPIRES_SOON).order_by("scade_il")
    told = [
        f"«{nome}» il {timezone.localtime(moment):%d/%m/%Y}"
        for nome, moment in expiring.values_list("nome", "scade_il")
    ]
    if told:
        return wrong(f"Chiavi che scadono entro 14 giorni: {', '.join(told)}.")
    return well(f"API_KEY e {alive.count()} chiavi con nome.")


CHECKS: dict[str, Look] = {
    **checkup.CHECKS,
    "mysql_stretto": check_strict_mode,
    "chiavi": check_keys,
}
