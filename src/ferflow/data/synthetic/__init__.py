"""The embedded sample: faces drawn from facial action units, in the layout of FER-2013's folders.

It needs no download and no licence, and takes the code path of real data. `archive` writes sets of any
size, `portrait.render` draws one face, `action_units` says what each emotion moves. To draw the
committed sample again: `python -m ferflow.data.synthetic --out data/sample.zip`.
"""
