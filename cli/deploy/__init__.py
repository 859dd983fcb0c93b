"""`spotswarm deploy`: a stack file read, checked, deployed with Docker, followed, rolled back.

Reading and judging are pure modules; `preparing` and `rollout` call Docker through `cli.edges`.
"""
