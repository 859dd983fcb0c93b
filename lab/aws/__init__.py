"""The lab's AWS: moto with signatures enforced, the metadata service, Elastic IPs, the spot market.

What EC2, IAM, SQS or the metadata service do belongs here; machines are in `lab.machines`.
"""
