"""Whether the Hugging Face hub can be reached, asked once and quickly.

Without this a model that is not here takes many retries, each with its own wait, before it is reported. Where the hub
does not answer, files are taken from the local cache only.
"""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request

from huggingface_hub import constants

SECONDS = 5.0


def reachable(seconds: float = SECONDS) -> bool:
    """Whether the hub answers at all within `seconds`; False where HF_HUB_OFFLINE is set. Proxies are respected."""
    if constants.HF_HUB_OFFLINE:
        return False
    answered: list[bool] = []
    # In a thread of its own: looking a name up has no time limit.
    thread = threading.Thread(target=lambda: answered.append(_answers(constants.ENDPOINT, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answered and answered[0])


def _answers(address: str, seconds: float) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds):
            return True
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        # A certificate that this Python does not trust is another client's affair: somebody answered.
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, ValueError):
        return False
