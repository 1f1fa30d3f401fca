package fleet

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"citystream/engine/record"
)

// A Reading is one record: the key and the value of a Kafka message. The key lies inside the value, where the id stands.
type Reading struct{ Key, Value []byte }

// Readings are the records of one step, by kind. They share one buffer.
type Readings [Kinds]Reading

// StepBytes is a capacity of the buffer given to Step that is enough for any step.
const StepBytes = 1408

// snapshotBytes is the size of a camera's picture, before Base64.
const snapshotBytes = 48

// isoMicros is the layout of timestamps: as Python's isoformat prints a time without a zone, but always with six decimals.
const isoMicros = "2006-01-02T15:04:05.000000"

// read draws all readings of a step in a fixed order and writes them as JSON. Encoding by hand costs no reflection and no garbage.
func (v *Vehicle) read(d *draws, now record.Micros, buf []byte) Readings {
	w := writer{b: buf[:0], vehicle: *v, heading: heading(v.route().stride())}
	now.Time().AppendFormat(w.stamp[:0], isoMicros)
	var ends [Kinds]int
	for kind := range Kind(Kinds) {
		w.begin(kind)
		switch kind {
		case VehicleData:
			w.vehicleData(d)
		case GPSData:
			w.gpsData(d)
		case TrafficData:
			w.trafficData(d)
		case WeatherData:
			w.weatherData(d)
		case EmergencyData:
			w.emergencyData(d)
		}
		w.b = append(w.b, '}')
		ends[kind] = len(w.b)
	}
	var r Readings
	start := 0
	for kind, end := range ends { // only now, since the buffer may have moved
		value := w.b[start:end:end]
		key := value[len(opening) : len(opening)+idLen : len(opening)+idLen]
		r[kind], start = Reading{Key: key, Value: value}, end
	}
	return r
}

// writer writes the JSON of a step's records. No text that it is given needs escaping. It holds copies and no pointers, else the
// compiler would take them to leave with b and put them on the heap.
type writer struct {
	b       []byte
	vehicle Vehicle
	stamp   [40]byte // the time's text, with the room that AppendFormat wants meanwhile
	heading string
}

const opening = `{"id":"`

// begin writes what all kinds begin with.
func (w *writer) begin(kind Kind) {
	w.b = append(w.b, opening...)
	w.b = w.vehicle.id(kind).appendText(w.b)
	w.b = append(w.b, `","deviceId":"vehicle-`...)
	w.b = appendPadded(w.b, int64(w.vehicle.number), 6)
	w.b = append(w.b, '"')
}

func (w *writer) vehicleData(d *draws) {
	m := &models[w.vehicle.model]
	w.timestamp()
	w.location()
	w.decimal("speed", d.between(10_00, 40_00), 2)
	w.text("direction", w.heading)
	w.text("make", m.maker)
	w.text("model", m.name)
	w.integer("year", m.year)
	w.text("fuelType", m.fuel)
}

func (w *writer) gpsData(d *draws) {
	w.timestamp()
	w.decimal("speed", d.between(0, 40_00), 2)
	w.text("direction", w.heading)
	w.text("vehicle_type", models[w.vehicle.model].kind)
}

func (w *writer) trafficData(d *draws) {
	milestone := int64(w.vehicle.step)
	if w.vehicle.back {
		milestone = max(strides-milestone, 0)
	}
	w.name("cameraId")
	w.b = append(w.b, `"camera-`...)
	w.b = appendPadded(w.b, milestone, 3)
	w.b = append(w.b, '"')
	w.location()
	w.timestamp()
	var picture [snapshotBytes]byte
	for i := 0; i < snapshotBytes; i += 8 {
		binary.LittleEndian.PutUint64(picture[i:], d.next())
	}
	w.name("snapshot")
	w.b = append(w.b, '"')
	w.b = base64.StdEncoding.AppendEncode(w.b, picture[:])
	w.b = append(w.b, '"')
}

func (w *writer) weatherData(d *draws) {
	temperature := d.between(-5_0, 26_0)
	conditions := warmWeather
	if temperature < 3_0 {
		conditions = coldWeather
	}
	condition := d.oneOf(conditions)
	precipitation := d.between(1, 25_0)
	if condition == "Sunny" || condition == "Cloud" {
		precipitation = 0
	}
	w.location()
	w.timestamp()
	w.decimal("temperature", temperature, 1)
	w.text("weatherCondition", condition)
	w.decimal("precipitation", precipitation, 1)
	w.decimal("windSpeed", d.between(0, 100_0), 1)
	w.integer("humidity", d.between(0, 100))
	w.decimal("airQualityIndex", d.between(0, 500_0), 1)
}

func (w *writer) emergencyData(d *draws) {
	e, status := &noEmergency, "Resolved"
	if d.below(2) == 0 {
		e = &emergencies[d.below(int64(len(emergencies)))]
		if d.below(2) == 0 {
			status = "Active"
		}
	}
	w.name("incidentId")
	w.b = append(w.b, '"')
	w.b = w.vehicle.id(incident).appendText(w.b)
	w.b = append(w.b, '"')
	w.text("type", e.name)
	w.location()
	w.timestamp()
	w.text("status", status)
	w.text("description", d.oneOf(e.descriptions))
}

// id returns the id of the record of that kind of the present step.
func (v *Vehicle) id(kind Kind) id {
	return place{drive: v.drive, number: v.number, step: v.step, kind: kind}.encipher(v.key)
}

func (w *writer) name(name string) {
	w.b = append(w.b, ',', '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) text(name, value string) {
	w.name(name)
	w.b = append(w.b, '"')
	w.b = append(w.b, value...)
	w.b = append(w.b, '"')
}

func (w *writer) integer(name string, value int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, value, 10)
}

func (w *writer) decimal(name string, value int64, decimals int) {
	w.name(name)
	w.b = appendDecimal(w.b, value, decimals)
}

func (w *writer) timestamp() {
	w.name("timestamp")
	w.b = append(w.b, '"')
	w.b = append(w.b, w.stamp[:len(isoMicros)]...)
	w.b = append(w.b, '"')
}

func (w *writer) location() {
	w.name("location")
	w.b = append(w.b, '[')
	w.b = appendDecimal(w.b, int64(w.vehicle.at.Lat), 6)
	w.b = append(w.b, ',')
	w.b = appendDecimal(w.b, int64(w.vehicle.at.Lon), 6)
	w.b = append(w.b, ']')
}

// appendDecimal writes a number given in units of its last decimal: -127800 with 6 decimals is -0.127800.
func appendDecimal(b []byte, value int64, decimals int) []byte {
	if value < 0 {
		b, value = append(b, '-'), -value
	}
	unit := int64(1)
	for range decimals {
		unit *= 10
	}
	b = strconv.AppendInt(b, value/unit, 10)
	b = append(b, '.')
	return appendPadded(b, value%unit, decimals)
}

// appendPadded writes a number that is not negative with at least so many digits.
func appendPadded(b []byte, value int64, digits int) []byte {
	for limit := int64(10); digits > 1; digits, limit = digits-1, limit*10 {
		if value < limit {
			for range digits - 1 {
				b = append(b, '0')
			}
			break
		}
	}
	return strconv.AppendInt(b, value, 10)
}
