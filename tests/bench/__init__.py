"""Speed, measured: ``./run bench NAME``, or on servers that are thrown away afterwards::

    python -m tests.servers -- python -m tests.bench orders

Each bench makes its own databases on the servers of ``DATABASE_URL`` and
``PRODUCTION_DATABASE_URL``, prints a small table, drops them, and ends with 1 if a bound that the
project states is not met.
"""
