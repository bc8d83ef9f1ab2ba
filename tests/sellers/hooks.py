"""Stands in for the apps above when a seller connects or disconnects: notes what it was told."""

connected: list[int] = []
parked: list[int] = []
on_their_way: list[tuple[str, int]] = []


def start_polling(*, seller, connection) -> None:
    connected.append(seller.pk)


def open_effects(seller) -> list[tuple[str, int]]:
    return on_their_way


def park(seller, by) -> None:
    parked.append(seller.pk)
