"""The web as it is: names resolved, bytes fetched. What is asked and why is decided above."""
