package schema

import (
	"errors"
	"fmt"
	"strings"
)

// Compatible says whether files written under the old table and under the new one can be read as one table, and else why not.
//
// Query engines find Parquet columns by name, in lower case, wherever they stand; a column that a file lacks reads as NULL. So columns may
// be added, moved, spelled in other capitals, and left out (the catalog keeps them, and new rows have NULL). A changed type
// fails queries, or is wrong in silence: it needs a new column under another name. Where and whether a value is found in a record
// (path, aliases, required, unit) concerns new rows only.
func Compatible(old, new *Table) error {
	if old.Name != new.Name {
		return fmt.Errorf("table %s and table %s: another name is another table", old.Name, new.Name)
	}
	types := make(map[string]Column, len(old.Columns))
	for _, c := range old.Columns {
		types[strings.ToLower(c.Name)] = c
	}
	var errs []error
	for _, c := range new.Columns {
		was, ok := types[strings.ToLower(c.Name)]
		if ok && was.Type != c.Type {
			errs = append(errs, fmt.Errorf("table %s: column %s is %s in the files that exist and cannot become %s: add a column of another name",
				new.Name, c.Name, was.Type, c.Type))
		}
	}
	return errors.Join(errs...)
}
