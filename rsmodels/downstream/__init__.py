"""What synthetic chips are worth: RS-UNet trained on real chips alone (True), and on the mix with them (Mix)."""
