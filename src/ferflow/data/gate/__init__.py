"""The gate between the data and everything that is trained on them.

`suite` is the list of what must hold, `tables` and `label_signal` measure it, `run` asks Great
Expectations, `results` and `report` say what was found.
"""
