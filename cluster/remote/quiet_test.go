package remote

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func TestLinesOfProtoactorGoWhereTheyAreOfUse(t *testing.T) {
	t.Parallel()
	said := &bytes.Buffer{}
	log := newQuiet(slog.NewTextHandler(said, nil))
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const away = "EndpointWriter failed to connect"
	for _, c := range []struct {
		name    string
		level   slog.Level
		message string
		attrs   []slog.Attr
		after   time.Duration
		want    string // of the line, in order of the cases; empty is none
	}{
		{"its life", slog.LevelInfo, "Started Activator", nil, 0, ""},
		{"a node is away", slog.LevelError, away, []slog.Attr{slog.String("address", "a:1")}, 0, "level=WARN msg=\"" + away + "\" address=a:1"},
		{"it is still away", slog.LevelError, away, []slog.Attr{slog.String("address", "a:1")}, warnEvery - 1, ""},
		{"another is away", slog.LevelError, away, []slog.Attr{slog.String("address", "b:1")}, warnEvery - 1, "level=WARN msg=\"" + away + "\" address=b:1"},
		{"it is away for long", slog.LevelError, away, []slog.Attr{slog.String("address", "a:1")}, warnEvery, "level=WARN msg=\"" + away + "\" address=a:1"},
		{"what has been told", slog.LevelError, "EndpointWriter failed to create receive stream", nil, 0, ""},
		{"a crash", slog.LevelError, "[Supervision]", []slog.Attr{slog.Any("message", errors.New("secret"))}, 0, "level=ERROR msg=[Supervision] message=*errors.errorString"},
		{"the same crash", slog.LevelError, "[Supervision]", []slog.Attr{slog.Any("message", errors.New("secret"))}, 0, "level=ERROR msg=[Supervision] message=*errors.errorString"},
	} {
		said.Reset()
		r := slog.NewRecord(start.Add(c.after), c.level, c.message, 0)
		r.AddAttrs(c.attrs...)
		if err := log.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(strings.TrimSpace(said.String()), " ")
		if line != c.want {
			t.Errorf("%s: %q, want %q", c.name, line, c.want)
		}
	}
}

func TestWhatIsNotTakenDownIsNotEvenFormed(t *testing.T) {
	t.Parallel()
	log := newQuiet(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelInfo}))
	if log.Enabled(t.Context(), slog.LevelInfo) || !log.Enabled(t.Context(), slog.LevelWarn) {
		t.Error("protoactor's life is of the level debug, its warnings are of their own")
	}
}

func TestRefusedConnectionsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	said := &bytes.Buffer{}
	h := &handshakes{log: slog.New(slog.NewTextHandler(said, nil))}
	h.tell(&net.TCPAddr{}, io.EOF)
	for range 100 {
		h.tell(&net.TCPAddr{}, errors.New("tls: bad certificate"))
	}
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("%d lines:\n%s", n, said)
	}
}
