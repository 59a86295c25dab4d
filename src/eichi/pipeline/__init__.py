"""Plan to latents to frames, as generators of events."""

import eichi.models.libraries  # noqa: F401  # before they come in one by one
