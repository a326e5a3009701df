"""The browser side: pages are thin, everything they share lives here."""
