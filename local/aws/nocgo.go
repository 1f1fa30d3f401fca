//go:build !cgo

package aws

import (
	"context"
	"errors"
)

// A showOnly engine stands where DuckDB would: it answers what the catalog alone can, and says of the rest what is missing.
type showOnly struct{ definer *definer }

func newEngine(_ Options, d *definer, _ string) engine { return showOnly{d} }

func (s showOnly) run(ctx context.Context, q *query) (*result, error) {
	switch {
	case q.statement.kind == showing:
		return s.definer.catalog.show(q.statement, q.database)
	case q.statement.kind == defining && q.statement.query == nil:
		return s.definer.run(ctx, q)
	}
	return nil, errNoEngine
}

var errNoEngine = errors.New("this binary was built without cgo, so it has no local SQL engine: install a C compiler " +
	"(Debian: apt-get install gcc g++) and build with CGO_ENABLED=1, or use --aws with a real endpoint")
