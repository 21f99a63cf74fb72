"""How the web server runs: ``gunicorn -c python:etlportal.gunicorn`` (add ``--bind``).

gunicorn reads these names; what is given on its command line wins.
"""

wsgi_app = "etlportal.wsgi"
worker_class = "etlportal.patient_worker.PatientWorker"
workers = 2
# A thread works and never waits for a client, so few are enough; each may keep one connection
# to each database (PostgreSQL takes 100 by default, shared with the worker and other programs).
threads = 8
# Clients that may wait at once on each worker; a process may open 1024 files by default.
worker_connections = 800
# Above what a request may wait for a run (RUN_WAIT_SECONDS) and for the databases (60 s).
timeout = 120
graceful_timeout = 30
keepalive = 5
control_socket_disable = True
# The pure Python parser is the one that the tests of malformed requests run against.
http_parser = "python"
