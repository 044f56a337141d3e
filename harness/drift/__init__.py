"""The drift exam: does the service notice that its input changed, and does it stay quiet where nothing did?

`settings` says what may change, `changes` and `arms` make the rows from the seed, `traffic` and `drive` send them to a
`monitor`, `exam` runs all of them, `rule` judges what was seen, and `findings` puts it into words.
"""
