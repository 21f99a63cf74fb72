"""The anomaly catalogue's numbers, as the code names them.

The rows themselves are seeded by migration and may be renamed in the admin; the numbers never
change meaning (1-4 and 999 are the plant's own).
"""

from enum import IntEnum


class AnomaliaId(IntEnum):
    TIMESTAMP_NON_VALIDO = 1
    PESO_NON_VALIDO = 2
    TEMPERATURA_NON_VALIDA = 3
    ANOMALIA_STRUTTURA = 4
    TIPO_OPERAZIONE_NON_VALIDO = 101
    PESO_FUORI_SPECIFICA = 102
    TEMPERATURA_FUORI_SPECIFICA = 103
    PEZZI_ORA_NON_VALIDI = 104
    TIPO_FERMO_SCONOSCIUTO = 105
    RIFERIMENTO_SCONOSCIUTO = 106
    DURATA_ANOMALA = 107
    OPERAZIONE_APERTA = 108
    SOVRAPPRODUZIONE = 109
    SCORTA_INSUFFICIENTE = 110
    ALTRO = 999
