"""AWS: instances, identity, the Elastic IP, the queue, secrets, the founder parameter, the fleet.

Only modules here import boto3.
"""
