"""Generators and segmentation networks trained on rsprep chip stores."""
