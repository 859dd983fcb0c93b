"""Access to AWS: EC2, STS, SQS, SSM, the Elastic IP and the fleet that launches instances.

Only modules in this package import boto3.
"""
