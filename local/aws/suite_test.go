//go:build cgo

package aws

import (
	"testing"
	"time"

	athenaadapter "citystream/engine/adapter/athena"
	"citystream/engine/enginetest"
)

// endless joins numbers with numbers without an end in sight.
const endless = `SELECT count(*) FROM unnest(sequence(1, 10000)) a(x), unnest(sequence(1, 10000)) b(y), unnest(sequence(1, 10000)) c(z),
	unnest(sequence(1, 10000)) d(u) WHERE (x * y + z * u) % 7 = 3`

func (r *executions) count(s state) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, x := range r.all {
		if x.state == s {
			n++
		}
	}
	return n
}

func (e *endpoint) query() *athenaadapter.Query {
	return athenaadapter.New(e.athena, athenaadapter.Options{PollMin: 2 * time.Millisecond, OutputLocation: "s3://results/"})
}

func TestTheLocalAthenaIsAQueryService(t *testing.T) {
	t.Parallel()
	enginetest.QuerySuite(t, func(t *testing.T) enginetest.QueryHarness {
		e := open(t, Options{})
		e.known(t)
		return enginetest.QueryHarness{
			Query: e.query(), Endless: endless, Running: func(*testing.T) int { return e.Server.athena.runs.count(stateRunning) },
		}
	})
}
