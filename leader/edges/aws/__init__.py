"""Access to AWS: instances, identity, Elastic IP, queue, secrets, founder parameter and fleet.

Only modules here import boto3.
"""
