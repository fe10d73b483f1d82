"""The twin: a network server that learns a model of its own air and plans on it; `agents.twin.learner` has the page.

| module | what |
|---|---|
| `knowledge` | what the server knows before the first frame |
| `frames` | the last frames of every node |
| `rates`, `gains`, `beliefs` | estimators, and what they make the server believe |
| `changes` | sudden changes of the channel |
| `tables`, `fields` | the model: constants, and fields of interference |
| `goals` | goals, and the ascent that finds a plan |
| `learner` | the learner |
"""
