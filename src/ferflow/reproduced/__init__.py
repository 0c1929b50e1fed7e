"""Are the committed results those of the committed code? A comparison after a run from scratch.

After `make scratch` and `make repro`, `python -m ferflow.reproduced` compares the work tree with a commit.
What does not depend on training (data, splits, the validation report) has to be equal bytes anywhere. What
does has to be equal bytes on the same kind of machine; elsewhere it is judged by statistics of both answers
to the same samples. It needs git and the work tree alone.
"""
