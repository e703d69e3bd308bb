"""From geometry and model output to typed answers."""
