package config

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[Bytes]()
)

// units of Bytes, the greatest first.
var units = []struct {
	name string
	size Bytes
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String returns the size in the greatest unit that divides it.
func (b Bytes) String() string {
	for _, u := range units {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return "0B"
}

func parseBytes(text string) (Bytes, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(u.size) {
			break
		}
		return Bytes(n) * u.size, nil
	}
	return 0, fmt.Errorf("%q is no size: write a whole number with B, KiB, MiB or GiB, like 64MiB", text)
}

// typeInWords describes what a key takes.
func typeInWords(t reflect.Type, tag reflect.StructTag) string {
	if words := tag.Get("oneof"); words != "" {
		return strings.ReplaceAll(words, ",", " or ")
	}
	word := "text"
	switch {
	case t == durationType:
		word = "duration"
	case t == bytesType:
		word = "size"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		word = "number"
	case t.Kind() == reflect.Slice:
		return "list of text"
	case t.Kind() != reflect.String:
		word = "whole number"
	}
	switch low, high := tag.Get("min"), tag.Get("max"); {
	case low != "" && high != "":
		return word + " from " + low + " to " + high
	case low != "":
		return word + " from " + low
	}
	return word
}

// set gives v the value that a text from the environment, a flag or a tag says, and checks it against the key's limits.
func (k *Key) set(v reflect.Value, text string) error {
	parsed, err := parseValue(v.Type(), text)
	if err != nil {
		return err
	}
	if err := k.within(parsed); err != nil {
		return err
	}
	if err := k.check(parsed); err != nil {
		return err
	}
	v.Set(parsed)
	return nil
}

// parseValue reads a value of one of the types of keys.
func parseValue(t reflect.Type, text string) (reflect.Value, error) {
	v := reflect.New(t).Elem()
	switch {
	case t == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return v, fmt.Errorf("%q is no duration: write it with its unit, like 500ms, 90s or 10m", text)
		}
		v.SetInt(int64(d))
	case t == bytesType:
		b, err := parseBytes(text)
		if err != nil {
			return v, err
		}
		v.SetInt(int64(b))
	case t.Kind() == reflect.String:
		v.SetString(text)
	case t.Kind() == reflect.Slice:
		v.Set(reflect.ValueOf(splitList(text)))
	default:
		return parseScalar(v, text)
	}
	return v, nil
}

func parseScalar(v reflect.Value, text string) (reflect.Value, error) {
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return v, fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return v, fmt.Errorf("%q is no whole number", text)
		}
		v.SetInt(n)
	case reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return v, fmt.Errorf("%q is no whole number from 0 to %d", text, uint64(math.MaxUint64))
		}
		v.SetUint(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return v, fmt.Errorf("%q is no number", text)
		}
		v.SetFloat(f)
	default:
		panic("config: a key of type " + v.Type().String()) // the struct is at fault
	}
	return v, nil
}

// splitList reads a list in one text: separated by commas, as KAFKA_BOOTSTRAP_SERVERS has it.
func splitList(text string) []string {
	var items []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// within checks a value against the tags oneof, min and max.
func (k *Key) within(v reflect.Value) error {
	if words := k.tag.Get("oneof"); words != "" {
		list := strings.Split(words, ",")
		for _, w := range list {
			if v.String() == w {
				return nil
			}
		}
		return fmt.Errorf("must be one of %s, not %q", strings.Join(list, ", "), v.String())
	}
	low, high := k.tag.Get("min"), k.tag.Get("max")
	if low != "" && less(v, mustParse(v.Type(), low)) {
		return fmt.Errorf("%s is less than %s", show(v), low)
	}
	if high != "" && less(mustParse(v.Type(), high), v) {
		return fmt.Errorf("%s is more than %s", show(v), high)
	}
	return nil
}

func mustParse(t reflect.Type, text string) reflect.Value {
	v, err := parseValue(t, text)
	if err != nil {
		panic("config: a tag of the struct: " + err.Error())
	}
	return v
}

func less(a, b reflect.Value) bool {
	switch {
	case a.CanInt():
		return a.Int() < b.Int()
	case a.CanUint():
		return a.Uint() < b.Uint()
	default:
		return a.Float() < b.Float()
	}
}

// show returns a value as YAML has it.
func show(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String:
		return quote(v.String())
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = quote(v.Index(i).String())
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return fmt.Sprint(v.Interface())
	}
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("config: quote: " + err.Error()) // text can always be quoted
	}
	return string(quoted)
}
