collect_ignore = ["oracle.py", "their_networks.py", "their_layers.py"]  # programs for the parity environment
