"""`duly fake-llm`: an OpenAI-compatible server on loopback whose faults follow a script.

script      which call meets which fault, from a TOML file
answers     what is answered: made from the prompt, the same each time, labelled as scripted
book        the oracle: each request, and what was billed
server      HTTP/1.1 by hand, for its faults are below what a framework lets one do
"""
