"""Values as a Power Automate flow (or a careless one) sends them: ``id: (fields, anomalies)``.

From the shared sample requests; the numbers are the anomalies that the record must get.
"""

POWER_AUTOMATE_FORGE = {
    "codice_pezzo": "PZC10",
    "codice_operatore": "OOP4",
    "id_ordine": None,
    "codice_macchinario": None,
    "peso_effettivo": "14.0",
    "temperatura_effettiva": "1054.0",
    "timestamp_inizio": "2024-12-20T10:00:00.0000000Z",
    "timestamp_fine": "2024-12-20T10:20:00.0000000Z",
}
POWER_AUTOMATE_CNC = {
    "codice_pezzo": "PZC09",
    "codice_operatore": "OOP3",
    "id_ordine": None,
    "codice_macchinario": None,
    "numero_pezzi_ora": "3",
    "tipo_fermo": None,
    "timestamp_inizio": "2024-12-20T11:00:00.0000000Z",
    "timestamp_fine": "2024-12-20T11:30:00.0000000Z",
}

FORGE_CASES = {
    "A01 array of two operations": ({}, []),
    "B02 no zone": (
        {
            "timestamp_inizio": "2024-12-20T10:00:00.0000000",
            "timestamp_fine": "2024-12-20T10:20:00.0000000",
        },
        [],
    ),
    "B04 Italian date text": (
        {"timestamp_inizio": "20/12/2024 10:00", "timestamp_fine": "20/12/2024 10:20"},
        [],
    ),
    "B09 end before start": (
        {"timestamp_inizio": "2024-12-20T12:00:00Z", "timestamp_fine": "2024-12-20T10:00:00Z"},
        [1],
    ),
    "B11 hour that exists twice": (
        {"timestamp_inizio": "27/10/2024 02:30", "timestamp_fine": "27/10/2024 03:30"},
        [],
    ),
    "C02 Italian thousands and comma": ({"temperatura_effettiva": "1.054,50"}, []),
    "C06 unit": ({"peso_effettivo": "12,5 kg"}, [2]),
    "C06 currency": ({"peso_effettivo": "$1,234.50"}, [2]),
    "C08 code sent as a number": ({"codice_pezzo": "8"}, []),
    "C08 code with leading zeros": ({"codice_pezzo": "008"}, []),
    "C10 1e400 in an unknown field": (
        {
            "peso_effettivo": "1",
            "avvisi": [
                {"campo": "peso_lordo", "motivo": "numero_non_rappresentabile", "valore": "1e400"}
            ],
        },
        [999],
    ),
    "C12 weight below 0": ({"peso_effettivo": "-5"}, [2]),
    "C12 temperature below 0": ({"temperatura_effettiva": "-300"}, [3]),
    "D01 empty string for null": ({"codice_pezzo": ""}, []),
    "D03 explicit nulls": ({"codice_pezzo": None, "peso_effettivo": None}, [2]),
    "D05 spaces and nbsp round a code": ({"codice_pezzo": " PZC10\xa0"}, []),
    "D08 only three fields": (
        {
            "codice_operatore": None,
            "peso_effettivo": "14",
            "temperatura_effettiva": None,
            "timestamp_inizio": None,
            "timestamp_fine": None,
        },
        [1, 108, 3],
    ),
    "D15 half an emoji in an unknown field": (
        {"avvisi": [{"campo": "note", "motivo": "carattere_non_valido", "valore": "caldo \ufffd"}]},
        [999],
    ),
}

CNC_CASES = {
    "A01 array of two operations": ({}, []),
    "C12 9999999 pieces an hour": ({"numero_pezzi_ora": "9999999"}, [104]),
}
