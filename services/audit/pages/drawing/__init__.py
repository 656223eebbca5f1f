"""Where everything stands in a drawing: numbers alone, which templates make SVG of."""
