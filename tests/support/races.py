"""The size of a race between stores of several processes."""

#: So many tasks are raced for.
RACES = 400
#: So many at once, each verb for one task: groups that wait for each other would hide the race.
LANES = 4
