"""4 do: `runner` holds the attempts of a worker, `attempt` runs one, `context` is what its handler sees."""
