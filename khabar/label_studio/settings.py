"""Label Studio's own Django settings, and what SQLite needs where several people write at once.

Loaded by Label Studio's process only, which finds `core`. As it is shipped, SQLite makes a reader wait for
every writer, and a transaction that reads before it writes is refused as "database is locked"; Label Studio
then sleeps and tries again, for up to half a minute with twenty people. With a write-ahead log, and writers
that queue up at the beginning of their transaction, nothing is refused.
"""

from core.settings.base import *  # type: ignore[import-not-found]  # noqa: F403
from core.settings.base import DATABASES_ALL

# Label Studio reads these two while its settings are half read; khabar sends nothing off the machine.
SENTRY_DSN = FRONTEND_SENTRY_DSN = ""

from label_studio.core.settings.label_studio import *  # type: ignore[import-untyped]  # noqa: E402, F403

DATABASES_ALL["sqlite"]["OPTIONS"] = {
    "timeout": 30,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL",
}
