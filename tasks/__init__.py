"""The work: one folder for each room of the pipeline, and beside them what every room stands on."""
