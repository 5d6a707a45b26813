"""The errors a command or a message can end in.

StewardError
├── Refused            the caller can mend it; becomes a problem document (RFC 9457)
│   ├── Malformed      422  a field breaks a rule
│   ├── Conflict       409  the state does not allow it
│   ├── NotFound       404  absent, or not yours to see
│   ├── Gone           410  it was here, and is kept elsewhere now
│   ├── Forbidden      403  seen, but your roles do not allow it
│   ├── Unauthenticated 401 no valid token
│   ├── Stale          412  If-Match names an older version
│   ├── Unconditional  428  If-Match is required
│   ├── RowsRefused    422  rows of an all-or-none request (shared/bulk.py)
│   ├── TooSlow        408  the body stopped coming
│   ├── TooLarge       413  the body, or the event it would make
│   └── TooMany        429  more than one caller, or one site, may send in a time
├── Unreadable         a message that breaks its contract; goes to quarantine
├── Unavailable        the bus or the database is away; try again
├── WrongSetting       a setting is missing or wrong; the process does not start
├── MigrationError     the database is not as its record of migrations tells (shared/migrate.py)
├── AlreadyAnswered    the request was carried out before; answered the same (shared/http/idempotency.py)
├── Fenced             a newer producer has taken over this one's name
└── Replaced           a newer consumer has taken over this one's partition
"""

from typing import Any


class StewardError(Exception):
    """Root of all errors that are Steward's own."""


class Refused(StewardError):
    """A command that was not carried out; nothing was changed.

    ``extra`` becomes members of the problem document, for example ``missing`` evidence.
    """

    status = 400
    title = "Refused"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class Malformed(Refused):
    """A field breaks a rule. Names the field, the rule and a valid example."""

    status = 422
    title = "Malformed input"

    def __init__(self, field: str, rule: str, example: str) -> None:
        super().__init__(
            f"{field}: {rule}, for example {example}",
            errors=[{"field": field, "rule": rule, "example": example}],
        )


class Conflict(Refused):
    """The present state does not allow the command; ``extra`` says what is missing or in the way."""

    status = 409
    title = "Conflict"


class NotFound(Refused):
    """The thing does not exist, or lies outside the caller's sites, which is the same to the caller."""

    status = 404
    title = "Not found"


class Gone(Refused):
    """The thing was here and is kept elsewhere now; says where."""

    status = 410
    title = "Gone"


class Forbidden(Refused):
    """The caller may see the thing but lacks the role for this command."""

    status = 403
    title = "Forbidden"


class Unauthenticated(Refused):
    """The request carries no token, or one that is expired, foreign or unsigned."""

    status = 401
    title = "Not signed in"


class Stale(Refused):
    """If-Match names a version that is no longer the newest."""

    status = 412
    title = "Changed meanwhile"


class Unconditional(Refused):
    """A change without If-Match could overwrite what the caller has not seen."""

    status = 428
    title = "If-Match required"


class TooSlow(Refused):
    """The request's body stopped coming, or would take for ever; what had come of it is gone."""

    status = 408
    title = "Too slow"


class TooLarge(Refused):
    """The body, or the event that the command would make, passes its limit."""

    status = 413
    title = "Too large"


class TooMany(Refused):
    """More than may be sent in a time; ``extra`` says when to try again."""

    status = 429
    title = "Too many"


class Unreadable(StewardError):
    """A message that breaks the envelope or its contract; reading it again cannot help."""


class Unavailable(StewardError):
    """The bus or the database did not answer; the same step will be tried again."""


class WrongSetting(StewardError):
    """A setting is missing or wrong; the text is for the person who set it."""


class Fenced(StewardError):
    """Another producer has registered under this name; this one must stop."""


class Replaced(StewardError):
    """Another consumer has moved the stored position; what this one did is rolled back and it must rejoin."""
