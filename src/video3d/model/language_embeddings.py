"""Word embeddings of the whole model: they are the language model's own."""

from typing import Any

from torch import nn


class LanguageEmbeddings:
    """What Hugging Face asks a model about its embeddings, passed on to ``language_model``."""

    language_model: Any
    config: Any

    def get_input_embeddings(self) -> nn.Module:
        """The language model's."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Of the language model."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module | None:
        """The language model's."""
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Of the language model."""
        self.language_model.set_output_embeddings(new_embeddings)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Of the language model, whose configuration is then followed."""
        embeddings = self.language_model.resize_token_embeddings(*args, **kwargs)
        text_config: Any = self.config.text_config
        text_config.vocab_size = self.language_model.config.vocab_size
        return embeddings
