"""What people read: the rows behind `status`, `nodes`, `joins`, `leaving` and `explain`, and plans.

Without I/O. These modules read the view and the record, and never change either. A new column or
sentence for the operator belongs here; the table that prints it is in `cli`.
"""
