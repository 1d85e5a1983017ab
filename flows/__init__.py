"""The two flows: each file is the table of contents of what it runs. Work belongs to `tasks`, flags to `cli`."""
