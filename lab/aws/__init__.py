"""The lab's AWS: moto with enforced signatures, the metadata service, Elastic IPs and the spot
market.

This package simulates EC2, IAM, SQS and the metadata service; `lab.machines` runs the machines.
"""
