"""What every test shares; factories and simulators are in tests/support."""
