"""Read the operator's text files, and have Docker's client read a stack before it is deployed."""
