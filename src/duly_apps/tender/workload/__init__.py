"""The split of a requirements document into work items: roles, a range of days, dependencies, assumptions.

`splitter` says what an engine must offer, `schema` what it answers. `model` asks a language model; `engine`
needs none: `reading` finds the requirements, `kinds` knows what work they are, `estimate` what they cost,
`links` what waits for what.
"""
