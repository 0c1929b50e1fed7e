"""Clients of a server, many at once: each sends its own images and looks whether the answers are theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import requests

from ferflow.data.arrays import Images

#: Rounding differs between batches of different sizes.
TOLERANCE = 1e-5


def ask(address: str, images: Images, session: requests.Session | None = None) -> pd.DataFrame:
    """Return the answers to some images as MLflow's protocol has them."""
    post = (session or requests).post
    response = post(f"{address}/invocations", json={"inputs": images.tolist()}, timeout=120)
    assert response.status_code == 200, response.text
    return pd.DataFrame(response.json()["predictions"])


def ask_at_once(
    address: str, images: Images, expected: pd.DataFrame, requested: int, clients: int, sizes: tuple[int, ...]
) -> int:
    """Send so many requests from so many clients, all answers checked; return how many were right."""
    with ThreadPoolExecutor(clients) as pool:

        def client(number: int) -> int:
            right = 0
            with requests.Session() as session:
                for turn in range(number, requested, clients):
                    size = sizes[turn % len(sizes)]
                    rows = [(turn + place) % len(images) for place in range(size)]
                    answers = ask(address, images[rows], session)
                    np.testing.assert_allclose(answers, expected.iloc[rows], atol=TOLERANCE)
                    right += 1
            return right

        return sum(pool.map(client, range(clients)))
