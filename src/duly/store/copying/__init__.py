"""Moving an installation to another database while it is used (decision 0031).

`side` reads and writes the rows of one database, `marker` says who fills a destination, `passes` make it like
the source, `seal` closes the source, `move` is the whole way.
"""
