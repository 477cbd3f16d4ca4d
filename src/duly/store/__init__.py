"""Keeps every fact. One writer per process, fenced verbs, hot verbs as SQL files.

Read on: `transaction` (what a verb sees), `database` (writer and readers), then one module of verbs per
table family: submissions, claims, transitions, journal, sessions, deliveries, lists. `schema` has the tables.
"""
