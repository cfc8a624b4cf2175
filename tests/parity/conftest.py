collect_ignore = ["oracle.py"]  # a program for the parity environment; the main one has neither escnn nor e2cnn
