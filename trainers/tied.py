"""Matrices that a model uses twice, as input and as output embeddings:

Taken apart for a merge, and put together again.
"""


class TiedWeights:
    """The shared parameters of a base model that an adapter is about to be merged into.

    An adapter that changes one use of a matrix does not change the other one; merged into a shared
    matrix, its change would reach both.
    """

    def __init__(self, base) -> None:
        self.sources = dict(base.all_tied_weights_keys)
        """Name of a parameter -> the name of the one that it shares its values with."""
        configs = {id(config): config for config in (base.config, base.config.get_text_config())}
        self._flags = [(config, config.tie_word_embeddings) for config in configs.values()]

    def separate(self, model) -> None:
        """Give every use of a shared parameter a copy of its own.

        model: the base, with the adapter in it.
        """
        import torch

        for config, _ in self._flags:
            config.tie_word_embeddings = False
        seen = set()
        for module in list(model.modules()):
            for name, parameter in list(module.named_parameters(recurse=False)):
                if id(parameter) in seen:
                    copy = parameter.detach().clone()
                    setattr(
                        module,
                        name,
                        torch.nn.Parameter(copy, requires_grad=parameter.requires_grad),
                    )
                seen.add(id(parameter))

    def join(self, merged) -> list[str]:
        """Share again what is still equal in `merged`; the names of the parameters that are not.

        Where there are any, the model's configuration says that its embeddings are not tied.
        """
        import torch

        apart = []
        for name, source in self.sources.items():
            shared = merged.get_parameter(source)
            if torch.equal(merged.get_parameter(name), shared):
                parent, _, last = name.rpartition(".")
                setattr(merged.get_submodule(parent), last, shared)
            else:
                apart.append(name)
        for config, tied in self._flags:
            config.tie_word_embeddings = tied and not apart
        merged.all_tied_weights_keys = {
            name: source for name, source in self.sources.items() if name not in apart
        }
        return apart
