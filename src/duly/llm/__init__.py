"""Model calls. The way of one call, from a handler's `ctx.llm.chat` and back:

desk        one call with all its tries: which provider, how often, until when; logs each try
providers   which there are: the table `llm` of `duly.toml`
pool        who may be asked now: weights, order, concurrency, cool-downs, one probe
client      one request over the official SDK, with what that gets wrong put right
failures    what an error means: try again, switch, give up
fake        a server of our own with scripted faults, to rehearse outages
"""
