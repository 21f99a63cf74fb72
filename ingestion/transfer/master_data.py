"""Master data of the plant, loaded once per run."""

from production.fields import MasterData, PieceLimits
from production.models import Anomalia, Macchinario, Operatore, Operazione, Pezzo, TipoFermo


def load_master_data() -> MasterData:
    orders = Operazione._meta.get_field("ordine").related_model
    return MasterData(
        pezzi={
            code: PieceLimits(*limits)
            for code, *limits in Pezzo.objects.values_list("codice_pezzo", *PieceLimits._fields)
        },
        macchinari=frozenset(Macchinario.objects.values_list("pk", flat=True)),
        operatori=frozenset(Operatore.objects.values_list("pk", flat=True)),
        ordini=frozenset(orders._base_manager.values_list("pk", flat=True)),
        tipi_fermo={
            word: code
            for code, synonyms in TipoFermo.objects.values_list("codice", "sinonimi")
            for word in TipoFermo.words_for(code, synonyms)
        },
        anomalie=frozenset(Anomalia.objects.values_list("pk", flat=True)),
    )
