"""Networks: layers and whole architectures, one a file."""
