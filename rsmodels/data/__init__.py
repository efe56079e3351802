"""From sealed chip stores to batches of tensors."""
