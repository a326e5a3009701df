"""Exchange with other programs: peft folders, merged models, bundles, reproduction."""
