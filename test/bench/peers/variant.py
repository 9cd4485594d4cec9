"""A variant of a case: words joined by commas, as `variant.ts` reads them."""


def words(variant):
    """`bf16,b=20` is `{"bf16": True, "b": 20}`."""
    pairs = (word.partition("=") for word in variant.split(",") if word)
    return {name: int(value) if equals else True for name, equals, value in pairs}
