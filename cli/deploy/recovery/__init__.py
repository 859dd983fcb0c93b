"""Restore services after a deployment that failed or did not end.

`record.py` is what the services were before, `records.py` keeps it in the swarm, `restoring.py`
decides how each service gets back, `rollback.py` carries that out, and `rollback_report.py` says
what is restored and what is not.
"""
