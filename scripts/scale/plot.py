"""Small plots as SVG, side by side: lines over a logarithmic axis, everything from zero up."""

from math import log10

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 360, 240, 48, 28, 40
COLOURS = ["#1b6ca8", "#c8553d", "#2d936c", "#8a6fb0"]
STYLE = "font-family: sans-serif; font-size: 11px"


def plot(panels, across):
    width = WIDTH * len(panels)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 20}" style="{STYLE}">']
    parts.append(f'<rect width="{width}" height="{HEIGHT + 20}" fill="white"/>')
    for number, (title, lines) in enumerate(panels):
        parts.append(f'<g transform="translate({number * WIDTH} 0)">{panel(title, lines, across)}</g>')
    return "\n".join([*parts, "</svg>\n"])


def panel(title, lines, across):
    points = [point for line in lines.values() for point in line]
    sizes = sorted({size for size, _ in points})
    top = nice(max(value for _, value in points))
    low, high = log10(sizes[0]), log10(sizes[-1])

    def x(size):
        return LEFT + 12 + (WIDTH - LEFT - 40) * (log10(size) - low) / ((high - low) or 1)

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{title}</text>']
    for step in range(5):
        value = top * step / 4
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 16}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{size:g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{across}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for size, value in line]
        parts.append(f'<text x="{LEFT + 8 + number * 84}" y="{HEIGHT + 10}" fill="{colour}">● {name}</text>')
    return "".join(parts)


def nice(value):
    """A round number at or above a value, divisible by four steps."""
    unit = 10 ** int(log10(value) - (value < 1))
    return next(unit * factor for factor in (1, 2, 4, 6, 8, 10, 12, 16, 20) if unit * factor >= value)
