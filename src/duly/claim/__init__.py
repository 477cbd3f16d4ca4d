"""3 hand out: `poller` asks for work, `session` is the lease, `rescue` takes back what died with a worker."""
