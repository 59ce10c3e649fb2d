"""Alerts without Prometheus: the rules of the table on the services' own metrics.

`samples` are what services expose, `evaluate` decides what fires (no I/O), `silences` and
`deliver` decide who hears of it, `watch` ties them together, `routes` shows them over HTTP.
"""
