"""Tiny transformers that sort and count: the experiments of the prefix theory, to be run again.

Source: arXiv:2310.19698, its notebooks 01 to 04.  The code here is our own.
"""
