"""Every event in: what it is appended by."""

from services.compliance.log import handlers
from shared.consumer import BatchHandler

BATCH_HANDLER: BatchHandler = handlers.append_events
