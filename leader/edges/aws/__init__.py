"""AWS: instances, identity, Elastic IP, queue, secrets, founder parameter, fleet.

Only modules here import boto3.
"""
