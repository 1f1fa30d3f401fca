package aws

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// showCreate answers SHOW CREATE TABLE and SHOW CREATE VIEW with a statement that makes the same again.
func (c *catalog) showCreate(words []word, database string, view bool) (*result, error) {
	t, _, err := c.named(words, database)
	switch {
	case err != nil:
		return nil, err
	case view && !isView(t):
		return nil, failed("NOT_SUPPORTED", "%s is a table: use SHOW CREATE TABLE", t.Name)
	case !view && isView(t):
		return nil, failed("NOT_SUPPORTED", "%s is a view: use SHOW CREATE VIEW", t.Name)
	case view:
		v, err := readView(t)
		if err != nil {
			return nil, err
		}
		return lines("create view", fmt.Sprintf("CREATE VIEW %s.%s AS\n%s", identifier(t.DatabaseName), identifier(t.Name), v.OriginalSQL)), nil
	}
	return lines("createtab_stmt", createText(t)), nil
}

// lines makes a result of one column with a row a line.
func lines(column1, text string) *result {
	r := &result{columns: []column{{name: column1, kind: "string"}}, bytes: int64(len(text))}
	for line := range strings.SplitSeq(text, "\n") {
		r.rows = append(r.rows, []*string{&line})
	}
	return r
}

// createText writes a table as CREATE EXTERNAL TABLE.
func createText(t *glueTable) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE `%s.%s`(\n%s)\n", t.DatabaseName, t.Name, columnTexts(columnsOf(t)))
	if t.Parameters["comment"] != "" {
		fmt.Fprintf(&b, "COMMENT %s\n", literal(t.Parameters["comment"]))
	}
	if len(t.PartitionKeys) > 0 {
		fmt.Fprintf(&b, "PARTITIONED BY ( \n%s)\n", columnTexts(t.PartitionKeys))
	}
	if d := t.StorageDescriptor; d != nil {
		if d.SerdeInfo != nil && d.SerdeInfo.SerializationLibrary != nil {
			fmt.Fprintf(&b, "ROW FORMAT SERDE \n  %s \n", literal(*d.SerdeInfo.SerializationLibrary))
			if len(d.SerdeInfo.Parameters) > 0 {
				fmt.Fprintf(&b, "WITH SERDEPROPERTIES ( \n%s) \n", propertyTexts(d.SerdeInfo.Parameters))
			}
		}
		if d.InputFormat != "" {
			fmt.Fprintf(&b, "STORED AS INPUTFORMAT \n  %s \nOUTPUTFORMAT \n  %s\n", literal(d.InputFormat), literal(d.OutputFormat))
		}
		fmt.Fprintf(&b, "LOCATION\n  %s\n", literal(d.Location))
	}
	properties := maps.Clone(t.Parameters)
	delete(properties, "comment")
	delete(properties, "EXTERNAL")
	if len(properties) > 0 {
		fmt.Fprintf(&b, "TBLPROPERTIES (\n%s)\n", propertyTexts(properties))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func columnTexts(columns []glueColumn) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = "  `" + c.Name + "` " + c.Type
		if c.Comment != nil && *c.Comment != "" {
			texts[i] += " COMMENT " + literal(*c.Comment)
		}
	}
	return strings.Join(texts, ", \n")
}

func propertyTexts(properties map[string]string) string {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		texts = append(texts, "  "+literal(key)+"="+literal(properties[key]))
	}
	return strings.Join(texts, ", \n")
}

// showProperties answers SHOW TBLPROPERTIES table [('name')].
func (c *catalog) showProperties(words []word, database string) (*result, error) {
	wanted := ""
	if n := len(words); n > 3 && words[n-1].is(")") && words[n-2].quote != 0 && words[n-3].is("(") {
		wanted, words = words[n-2].text, words[:n-3]
	}
	t, _, err := c.named(words, database)
	if err != nil {
		return nil, err
	}
	r := &result{columns: []column{{name: "prpt_name", kind: "string"}, {name: "prpt_value", kind: "string"}}}
	for _, key := range slices.Sorted(maps.Keys(t.Parameters)) {
		if value := t.Parameters[key]; wanted == "" || key == wanted {
			r.rows = append(r.rows, []*string{&key, &value})
			r.bytes += int64(len(key) + len(value))
		}
	}
	return r, nil
}
