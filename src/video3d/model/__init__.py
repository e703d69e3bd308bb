"""The position-aware model, a Hugging Face citizen."""
