package enginetest_test

import (
	"testing"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

func TestTheFakeCatalogIsACatalog(t *testing.T) {
	t.Parallel()
	enginetest.CatalogSuite(t, func(*testing.T) port.Catalog { return enginetest.NewFakeCatalog() })
}
