"""Balatro in a terminal: how a run is shown, what may be typed, and a session of both."""
