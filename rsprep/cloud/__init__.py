"""Object stores: addresses in buckets, what lies there, and folders that are mirrored there."""
