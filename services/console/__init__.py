"""Console: the pages that people look at. It owns no data: it asks the other services over their REST APIs, with the
token of the person who looks, and publishes the contracts of all events.

Events in: none. Events out: none. Effects: none.
"""
