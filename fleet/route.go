package fleet

// Degrees are millionths of a degree of latitude or longitude: a tenth of a metre, and exact for both cities and the way between.
type Degrees int32

// A Point is a place.
type Point struct{ Lat, Lon Degrees }

// The ends of the way.
var (
	London     = Point{Lat: 51_507_400, Lon: -127_800}
	Birmingham = Point{Lat: 52_486_200, Lon: -1_809_400}
)

const (
	strides = 100          // steps that the way would take without jitter
	jitter  = Degrees(100) // a step goes astray by up to so much a coordinate
)

// MostSteps is the length of the longest drive: if all jitter of each step holds a vehicle up, it arrives with this step.
const MostSteps = 101

// A route is a way from one place to another.
type route struct{ from, to Point }

// whole is the way from end to end.
func (r route) whole() Point { return Point{r.to.Lat - r.from.Lat, r.to.Lon - r.from.Lon} }

// stride is a hundredth of the way.
func (r route) stride() Point {
	w := r.whole()
	return Point{w.Lat / strides, w.Lon / strides}
}

// arrived says whether a vehicle is at its goal: the rest of its way, measured along the route, is less than half a stride. From there
// another step would end farther from the goal, so this is the nearest that a vehicle comes; it holds beyond the goal too.
func (r route) arrived(at Point) bool {
	w := r.whole()
	rest := dot(Point{r.to.Lat - at.Lat, r.to.Lon - at.Lon}, w) // rest of the way times the length of the whole
	return 2*strides*rest < dot(w, w)
}

func dot(a, b Point) int64 { return int64(a.Lat)*int64(b.Lat) + int64(a.Lon)*int64(b.Lon) }

// heading names the compass point between the axes that a stride goes to; both ways of the fleet lie well between them.
func heading(stride Point) string {
	switch {
	case stride.Lat >= 0 && stride.Lon >= 0:
		return "North-East"
	case stride.Lat >= 0:
		return "North-West"
	case stride.Lon >= 0:
		return "South-East"
	default:
		return "South-West"
	}
}
