"""Properties run under the profiles of `support.profiles`."""

import support.profiles  # noqa: F401 - importing it chooses the profile
