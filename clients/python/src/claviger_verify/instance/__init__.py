"""What runs beside the requests: the instance as it is followed, and what is kept of its answers."""
