"""To and from the outside: peft folders, merged models, bundles, reproduction."""
