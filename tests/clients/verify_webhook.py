"""Verifies a webhook as a receiver in Python does: {"secret": …, "headers": …, "body": …} on standard input."""

import json
import sys

from standardwebhooks.webhooks import Webhook

given = json.load(sys.stdin)
json.dump(Webhook(given["secret"]).verify(given["body"], given["headers"]), sys.stdout)
