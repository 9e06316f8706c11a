"""By which names ads and visitors are known to files and requests: the keys of the feature views."""


def ad_name(number: int) -> str:
    return f"ad-{number:04d}"


def visitor_name(number: int) -> str:
    return f"visitor-{number:05d}"
