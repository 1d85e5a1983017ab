"""The artifacts folder: what lies where in it, what of it this program made, what is kept, and what is damaged.

In: the folder that a person or a worker names. Out: paths in it, sealed records, and which runs may go. What a
training or a run consists of is the business of its room.
"""
