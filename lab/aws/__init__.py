"""The lab's AWS: moto with signatures enforced, the metadata service, Elastic IPs, the spot market.

This package does what EC2, IAM, SQS and the metadata service do; `lab.machines` has the machines.
"""
