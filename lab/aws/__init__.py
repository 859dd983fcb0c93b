"""The lab's AWS: a moto server, the metadata service, Elastic IPs and the spot market.

This package simulates EC2, IAM, SQS and the metadata service; `lab.machines` runs the machines.
"""
