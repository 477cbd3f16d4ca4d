"""The analyser that needs no model and no network: rules over the real text, with exact quotes."""
