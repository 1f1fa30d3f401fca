package lease

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"citystream/config"
	"citystream/engine/enginetest"
)

func TestEveryKindOfTheConfigurationIsOpened(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[config.Lease]().FieldByName("Kind")
	if !ok {
		t.Fatal("no key lease.kind")
	}
	for kind := range strings.SplitSeq(field.Tag.Get("oneof"), ",") {
		p := Place{Kind: kind, Servers: []string{"127.0.0.1:1"}, Path: "/citystream", TTL: time.Second}
		l, err := Open(p, enginetest.NewFakeStore(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if err := l.Close(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if want := field.Tag.Get("oneof"); strings.Join(Kinds(), ",") != want {
		t.Errorf("kinds are %q, those of the configuration %q", Kinds(), want)
	}
	if l, err := Open(Place{Kind: "stone"}, nil, nil); err == nil {
		t.Errorf("a lease of stone: %v", l)
	}
}
