"""Helpers that tests of several folders share: bases, runs, ratings, commands, pages."""
