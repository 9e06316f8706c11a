"""Makes the data of the README's tour: orders of a shoe shop, and which of them came back.

`python make_orders.py orders.csv [ROWS] [SEED]` needs the standard library only. Shoes of an unknown size come
back more often, and so does what was bought at a discount or on a phone; regular customers send back less.
"""

import csv
import math
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

COUNTRIES = {"AT": 0.0, "CH": -0.5, "DE": 0.4, "FR": 0.1, "IT": -0.2}
DEVICES = {"desktop": -0.2, "phone": 0.4, "tablet": 0.0}
STYLES = {"boots": 0.3, "heels": 0.8, "sandals": -0.2, "sneakers": -0.4}
START = datetime(2026, 1, 5, 6, tzinfo=UTC)


def order(number: int, dice: random.Random) -> list[object]:
    country, device, style = (dice.choice(list(values)) for values in (COUNTRIES, DEVICES, STYLES))
    price = round(dice.lognormvariate(4.2, 0.4), 2)
    discount = dice.choice([0, 0, 0, 10, 20, 30, 50])
    earlier = min(int(dice.expovariate(0.4)), 20)
    size_known = dice.random() < 0.6
    odds = COUNTRIES[country] + DEVICES[device] + STYLES[style] - 1.6
    odds += 0.03 * discount + 0.008 * (price - 70) - 0.15 * earlier - (1.1 if size_known else 0.0)
    returned = dice.random() < 1 / (1 + math.exp(-odds))
    ordered_at = START + timedelta(minutes=7 * number + dice.randrange(7))
    known = "" if dice.random() < 0.05 else "yes" if size_known else "no"  # some were never asked
    return [
        f"O{number:06d}", ordered_at.isoformat(), country, device, style, price, discount, earlier, known,
        "yes" if returned else "no",
    ]  # fmt: skip


def main(path: str, rows: int = 6_000, seed: int = 1) -> None:
    dice = random.Random(seed)
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["order_id", "ordered_at", "country", "device", "style", "price", "discount", "earlier_orders",
             "size_known", "returned"]
        )  # fmt: skip
        writer.writerows(order(number, dice) for number in range(rows))
    print(f"{rows} orders in {path}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
