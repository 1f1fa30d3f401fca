//go:build !cgo

package aws

import (
	"context"
	"errors"
)

// A showOnly engine stands where DuckDB would: it answers what the catalog alone can, and says of the rest what is missing.
type showOnly struct{ catalog *catalog }

func newEngine(_ Options, c *catalog, _ string) engine { return showOnly{c} }

func (s showOnly) run(_ context.Context, q *query) (*result, error) {
	if q.statement.kind == showing {
		return s.catalog.show(q.statement, q.database)
	}
	return nil, errNoEngine
}

var errNoEngine = errors.New("this binary was built without cgo, so it has no local SQL engine: install a C compiler " +
	"(Debian: apt-get install gcc g++) and build with CGO_ENABLED=1, or use --aws with a real endpoint")
