"""Realistic plant data for demos, tests and load: same seed, same bytes.

``plant`` (what is made, by whom), ``work`` (orders and what is made next), ``faults`` (what goes
wrong, and when), ``generator`` (cycles become records and their truth), ``truth`` (the file
written beside them) and ``evaluation`` (found against injected) are pure: no query, no clock.
``database`` and ``delivery`` join them to a portal.
"""
