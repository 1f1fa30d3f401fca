//go:build !cgo

package aws

import (
	"strings"
	"testing"

	athenaadapter "citystream/engine/adapter/athena"
)

func TestWithoutCgoAQuerySaysWhatToDo(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	q := athenaadapter.New(e.athena, athenaadapter.Options{})
	if _, err := q.Run(t.Context(), db, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=1") {
		t.Errorf("got %v", err)
	}
	r, err := q.Run(t.Context(), db, "SHOW TABLES")
	if err != nil || len(r.Rows) != 1 || *r.Rows[0][0] != "known_data" {
		t.Errorf("got %v, %v", r, err)
	}
}
