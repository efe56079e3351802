"""What a trained model is worth on chips that it has not seen."""
