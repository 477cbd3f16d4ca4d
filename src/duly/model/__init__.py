"""The words that every other package speaks: state, task, outcome, policy, events, errors, wire. Pure."""
