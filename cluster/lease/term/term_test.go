package term

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"citystream/engine/port"
)

const long = time.Hour

func done(t *Term) bool { return t.ctx.Err() != nil }

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: not within ten seconds", what)
	}
}

func TestATermRunsOut(t *testing.T) {
	t.Parallel()
	term := New(t.Context(), time.Now().Add(20*time.Millisecond))
	wait(t, "the end", term.Done())
	if !term.Over() {
		t.Error("ended, and not over")
	}
}

func TestATermThatIsExtendedOutlastsItsFirstEnd(t *testing.T) {
	t.Parallel()
	term := New(t.Context(), time.Now().Add(long))
	term.Extend(time.Now().Add(2 * long))
	term.Extend(time.Now().Add(long)) // an answer that was overtaken takes nothing back
	if left := time.Until(term.until); left < long+long/2 {
		t.Errorf("%s are left", left)
	}
	term.timeout() // the first timer, which fires while it is being set anew
	if done(term) || term.Over() {
		t.Error("over at its first end")
	}
	term.End()
	if !done(term) {
		t.Error("not ended")
	}
}

func TestATermThatWasSleptThroughIsNotExtended(t *testing.T) {
	t.Parallel()
	term := New(t.Context(), time.Now().Add(long))
	term.until = time.Now() // as if the whole process had been stopped since long before, and its timers with it
	if !term.Over() {
		t.Error("not over")
	}
	term.Extend(time.Now().Add(long))
	if !done(term) {
		t.Error("revived")
	}
}

func TestATermEndsWithItsParent(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(t.Context())
	term := New(parent, time.Now().Add(long))
	within, stop := term.Within(t.Context(), long)
	defer stop()
	cancel()
	wait(t, "the end", term.Done())
	wait(t, "what is done within it", within.Done())
}

func TestKeepRenewsUntilTheLeaseIsLost(t *testing.T) {
	t.Parallel()
	term := New(t.Context(), time.Now().Add(long))
	answers := []error{nil, errors.New("no answer"), nil, errors.New("no answer"), port.ErrLeaseLost}
	var until time.Time
	term.Keep(time.Millisecond, silent, func(context.Context) (time.Time, error) {
		err := answers[0]
		answers = answers[1:]
		until = time.Now().Add(2 * long)
		return until, err
	})
	if len(answers) > 0 || !done(term) {
		t.Errorf("%d answers are left; ended: %t", len(answers), done(term))
	}
	if !term.until.Equal(until) {
		t.Errorf("the term lasts until %s, want %s", term.until, until)
	}
}

func TestKeepEndsWhenNoRenewalSucceedsInTime(t *testing.T) {
	t.Parallel()
	term := New(t.Context(), time.Now().Add(50*time.Millisecond))
	tries := 0
	term.Keep(16*time.Millisecond, silent, func(context.Context) (time.Time, error) { tries++; return time.Time{}, errors.New("no answer") })
	if tries == 0 || !done(term) {
		t.Errorf("%d tries; ended: %t", tries, done(term))
	}
}

func TestKeepHurries(t *testing.T) {
	t.Parallel()
	term := New(t.Context(), time.Now().Add(2*long))
	term.Hurry()
	term.Hurry()
	go term.Keep(long, silent, func(context.Context) (time.Time, error) { return time.Time{}, port.ErrLeaseLost })
	wait(t, "the end", term.Done())
}

func TestAnAnnouncementNeedsATermThatLasts(t *testing.T) {
	t.Parallel()
	trouble := Backoff{Log: slog.New(slog.DiscardHandler), What: "announce", Max: time.Millisecond}
	noAnswer := errors.New("no answer")
	for _, c := range []struct {
		name  string
		write func(term *Term, try int) error
		want  error
	}{
		{"it is written", func(*Term, int) error { return nil }, nil},
		{"it is written at the third try", func(_ *Term, try int) error {
			if try < 3 {
				return noAnswer
			}
			return nil
		}, nil},
		{"the write shows that it is lost", func(*Term, int) error { return port.ErrLeaseLost }, port.ErrLeaseLost},
		{"the term ends during the write", func(term *Term, _ int) error { term.End(); return nil }, port.ErrLeaseLost},
		{"the term ends while nothing answers", func(term *Term, _ int) error { term.End(); return noAnswer }, port.ErrLeaseLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			term, try := New(t.Context(), time.Now().Add(long)), 0
			err := term.Announce(t.Context(), trouble, func(context.Context) error { try++; return c.write(term, try) })
			if !errors.Is(err, c.want) || (err == nil) == done(term) {
				t.Errorf("%v, want %v; ended: %t", err, c.want, done(term))
			}
		})
	}
}

func TestABackoffEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	trouble := Backoff{Log: slog.New(slog.DiscardHandler), What: "ask", Max: time.Millisecond}
	noAnswer := errors.New("no answer")
	tries := 0
	err := trouble.Do(ctx, func(context.Context) error {
		if tries++; tries == 3 {
			cancel()
		}
		return noAnswer
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, noAnswer) || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

var silent = slog.New(slog.DiscardHandler)
