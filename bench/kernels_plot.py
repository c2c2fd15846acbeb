"""A curve over the logarithms of both axes, as SVG."""

import math
from collections.abc import Mapping

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50


def plot(points: Mapping[int, float], title: str) -> str:
    """Return a picture of microseconds by rows in window."""
    low = 10.0 ** math.floor(math.log10(min(points.values())))
    high = 10.0 ** math.ceil(math.log10(max(max(points.values()), 10 * low)))
    first, last = min(points), max(points)

    def x(rows: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(rows / first) / math.log(last / first)

    def y(us: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - math.log(us / low) / math.log(high / low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        ' font-family="sans-serif" font-size="12">',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{title}</text>',
    ]
    tick = low
    while tick <= high * 1.001:
        parts.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:,.0f} µs</text>')
        tick *= 10
    for rows in points:
        parts.append(
            f'<text x="{x(rows):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{rows:,}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">rows in window</text>'
    )
    line = " ".join(f"{x(rows):.1f},{y(us):.1f}" for rows, us in points.items())
    parts.append(f'<polyline points="{line}" fill="none" stroke="#0a6" stroke-width="2"/>')
    for rows, us in points.items():
        parts.append(f'<circle cx="{x(rows):.1f}" cy="{y(us):.1f}" r="3" fill="#0a6"/>')
        parts.append(f'<text x="{x(rows):.1f}" y="{y(us) - 8:.1f}" text-anchor="middle">{us:,.0f}</text>')
    return "\n".join([*parts, "</svg>", ""])
