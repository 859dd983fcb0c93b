"""What people read: the rows behind `status`, `nodes`, `joins`, `leaving` and `explain`, plans.

Pure. Modules here read the view and the record and describe them; they never change either.
A new column or a new sentence for the operator belongs here; the table that prints it is in `cli`.
"""
