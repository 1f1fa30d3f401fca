package main

import (
	"fmt"
	"math"
	"strings"
)

// A plot is a line over a logarithmic axis.
type plot struct {
	title, x, y string
	points      [][2]float64
}

func (p *plot) add(x, y float64) { p.points = append(p.points, [2]float64{x, y}) }

// svg draws it.
func (p *plot) svg() string {
	const width, height, left, bottom, top, right = 480, 280, 60, 48, 36, 24
	greatest := 0.0
	for _, at := range p.points {
		greatest = max(greatest, at[1])
	}
	unit := math.Pow(10, math.Floor(math.Log10(greatest)))
	limit := math.Ceil(greatest*1.1/unit*2) / 2 * unit
	lo, hi := math.Log(p.points[0][0]), math.Log(p.points[len(p.points)-1][0])
	place := func(at [2]float64) (x, y float64) {
		return left + (math.Log(at[0])-lo)/(hi-lo)*(width-left-right), height - bottom - at[1]/limit*(height-bottom-top)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, width, height)
	fmt.Fprintf(&b, "\n<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n<text x=\"%d\" y=\"20\" font-size=\"14\">%s</text>\n", width, height, left, p.title)
	for _, share := range []float64{0, 0.5, 1} {
		y := float64(height-bottom) - share*(height-bottom-top)
		fmt.Fprintf(&b, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
			left, width-right, y, y, left-6, y+4, share*limit)
	}
	var line []string
	for _, at := range p.points {
		x, y := place(at)
		line = append(line, fmt.Sprintf("%.1f,%.1f", x, y))
		fmt.Fprintf(&b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g</text>\n", x, y, x, y-8, at[1])
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.7g</text>\n", x, height-bottom+16, at[0])
	}
	fmt.Fprintf(&b, "<polyline points=\"%s\" fill=\"none\" stroke=\"black\"/>\n", strings.Join(line, " "))
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (left+width-right)/2, height-12, p.x)
	fmt.Fprintf(&b, "<text x=\"14\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 14 %d)\">%s</text>\n</svg>\n",
		(top+height-bottom)/2, (top+height-bottom)/2, p.y)
	return b.String()
}
