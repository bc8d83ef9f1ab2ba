"""Papers as bytes: check them, cut the label out of its page, join many into one print file.

No Django here: what reads a stranger's PDF runs in a child process (`checking`, `child`)
that must start fast and know nothing.
"""
