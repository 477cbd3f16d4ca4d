"""Properties run under the profiles of `support.profiles`."""

from support import profiles as profiles
