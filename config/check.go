package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"citystream/engine/schema"
)

// checks are the rules that a tag check names; each gets the key's value. An optional value that is empty is right.
var checks = map[string]func(reflect.Value) error{
	"":          func(reflect.Value) error { return nil },
	"given":     func(v reflect.Value) error { return given(v.String()) },
	"addresses": addresses,
	"topic":     topic,
	"url":       serviceURL,
	"bucket":    bucket,
	"prefix":    prefix,
	"s3":        s3Location,
	"loopback":  loopback,
	"address":   address,
	"host":      host,
	"day":       day,
	"columns":   tableColumns,
}

func (k *Key) check(v reflect.Value) error { return checks[k.tag.Get("check")](v) }

func given(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func addresses(v reflect.Value) error {
	if v.Len() == 0 {
		return errors.New("must have at least one host:port")
	}
	for i := range v.Len() {
		if _, _, err := splitAddress(v.Index(i).String()); err != nil {
			return err
		}
	}
	return nil
}

// splitAddress reads host:port.
func splitAddress(text string) (host string, port uint16, err error) {
	i := strings.LastIndexByte(text, ':')
	if i > 0 {
		host = strings.Trim(text[:i], "[]")
		n, err := strconv.ParseUint(text[i+1:], 10, 16)
		if err == nil && host != "" && !strings.ContainsAny(host, " /@") {
			return host, uint16(n), nil
		}
	}
	return "", 0, fmt.Errorf("%q is no address: write host:port, like localhost:9092", text)
}

func address(v reflect.Value) error {
	_, _, err := splitAddress(v.String())
	return err
}

func day(v reflect.Value) error {
	if _, err := time.Parse(time.DateOnly, v.String()); err != nil && v.String() != "" {
		return fmt.Errorf("%q is no day: write it like 2026-01-01", v.String())
	}
	return nil
}

func host(v reflect.Value) error {
	if _, _, err := splitAddress(v.String()); err == nil {
		return nil
	}
	if strings.ContainsAny(v.String(), " /@:[]") {
		if ip, err := netip.ParseAddr(v.String()); err != nil || !ip.Is6() {
			return fmt.Errorf("%q is no host: write a name or an IP address, without a port", v.String())
		}
	}
	return nil
}

func loopback(v reflect.Value) error {
	host, _, err := splitAddress(v.String())
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s can be reached from other machines, for which the embedded services are not made: write 127.0.0.1 or localhost", v)
	}
	return nil
}

func topic(v reflect.Value) error {
	if !schema.IsTopic(v.String()) {
		return fmt.Errorf("%q is no name of a topic: letters, digits, dots, _ and -, at most 249", v.String())
	}
	return nil
}

func serviceURL(v reflect.Value) error {
	if v.String() == "" {
		return nil
	}
	u, err := url.Parse(v.String())
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q is no URL of a service: write it like http://localhost:9000", redacted(u, v.String()))
	case u.User != nil:
		return errors.New("credentials do not belong into a URL: put them where the AWS SDKs look for them")
	}
	return nil
}

// redacted keeps a password that stands in a wrong URL out of messages.
func redacted(u *url.URL, text string) string {
	if u != nil && u.User == nil && !strings.Contains(text, "@") {
		return text
	}
	return "..."
}

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func bucket(v reflect.Value) error {
	if !bucketForm.MatchString(v.String()) || strings.Contains(v.String(), "..") {
		return fmt.Errorf("%q is no name of a bucket: 3 to 63 small letters, digits, dots and -", v.String())
	}
	return nil
}

// prefix checks the prefix of a zone's keys. Query engines pass over what begins with _ or a dot, and the commit logs are such.
func prefix(v reflect.Value) error {
	for part := range strings.SplitSeq(v.String(), "/") {
		if part == "" || part[0] == '_' || part[0] == '.' || strings.ContainsAny(part, " *?=\\") {
			return fmt.Errorf("%q is no prefix: words joined by /, none beginning with _ or a dot", v.String())
		}
	}
	return nil
}

func s3Location(v reflect.Value) error {
	text := v.String()
	if text == "" {
		return nil
	}
	name, _, ok := strings.Cut(strings.TrimPrefix(text, "s3://"), "/")
	if !strings.HasPrefix(text, "s3://") || !ok || bucket(reflect.ValueOf(name)) != nil {
		return fmt.Errorf("%q is no place in S3: write it like s3://bucket/prefix/", text)
	}
	return nil
}
