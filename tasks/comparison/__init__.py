"""Several trainings' numbers in, results.json out.

Are two networks, or two runs, really different, and did the gates hold? Everything a run measured comes together
here, as facts. Sentences belong to `report`.
"""
