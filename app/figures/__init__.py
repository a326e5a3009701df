"""Data in, Plotly figure out; beside each figure its text alternative.  No Streamlit in here."""
