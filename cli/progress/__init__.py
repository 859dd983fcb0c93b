"""How far a drain or a deployment is, judged from repeated looks at it.

Pure: the commands look, and pass in what they saw and when. Nothing here prints or does I/O.
"""
