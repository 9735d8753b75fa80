"""A private server: with the key, with a wrong one, without.

    python comes_in.py URL KEY
"""

import sys

from tiled.client import from_uri
from tiled.client.utils import ClientError


def main(url, key):
    assert "tables" in from_uri(url, api_key=key)
    assert "tables" in from_uri(f"{url}?api_key={key}")
    try:
        from_uri(url, api_key="wrong")
    except ClientError as error:
        assert error.response.status_code == 401, error
    else:
        raise AssertionError("a wrong key was let in")


if __name__ == "__main__":
    main(*sys.argv[1:])
