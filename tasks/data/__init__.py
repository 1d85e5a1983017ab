"""Images in, verified and split arrays out.

In comes the name of a data set; out goes the path of an npz file with the arrays that every training reads, and
what is known of them. Downloads, file formats, checks and the split belong here; networks and scaling do not.
"""
