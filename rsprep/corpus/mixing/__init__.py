"""The corpus of MaskMix masks: seed masks mixed by Eq. 7 of the paper."""
