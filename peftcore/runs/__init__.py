"""Run specs, which decide a run, and the store of run folders."""
