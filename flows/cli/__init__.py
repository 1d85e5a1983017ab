"""The flows' command line: flags, exit codes, a temporary server, Dask workers, automations. No step of a run."""
