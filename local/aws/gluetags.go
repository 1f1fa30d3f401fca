package aws

import (
	"maps"
	"slices"
	"strings"
)

// tagsMax is AWS's limit on the tags of one resource.
const tagsMax = 50

type tagsAnswer struct{ Tags map[string]string }

func (g *glue) getTags(in *struct {
	ARN string `json:"ResourceArn"`
},
) (tagsAnswer, error) {
	resource, err := g.resource(in.ARN)
	if err != nil {
		return tagsAnswer{}, err
	}
	tags := g.catalog.tagsOf(resource)
	if tags == nil {
		tags = map[string]string{}
	}
	return tagsAnswer{tags}, nil
}

func (g *glue) tagResource(in *struct {
	ARN  string            `json:"ResourceArn"`
	Tags map[string]string `json:"TagsToAdd"`
},
) (none, error) {
	return g.retag(in.ARN, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (g *glue) untagResource(in *struct {
	ARN  string   `json:"ResourceArn"`
	Keys []string `json:"TagsToRemove"`
},
) (none, error) {
	return g.retag(in.ARN, func(tags map[string]string) {
		maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(in.Keys, key) })
	})
}

func (g *glue) retag(arn string, edit func(tags map[string]string)) (none, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	resource, err := g.resource(arn)
	if err != nil {
		return none{}, err
	}
	tags := maps.Clone(g.catalog.tagsOf(resource))
	if tags == nil {
		tags = map[string]string{}
	}
	edit(tags)
	if len(tags) > tagsMax {
		return none{}, fault(invalidInput, "A resource has %d tags at most.", tagsMax)
	}
	return none{}, g.catalog.commit(&change{Tags: &tagsChange{resource, tags}})
}

// resource returns what an ARN names, after its account: database/NAME, table/DATABASE/NAME or crawler/NAME.
func (g *glue) resource(arn string) (string, error) {
	parts := strings.SplitN(arn, ":", 6) // arn:aws:glue:region:account:resource
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "glue" {
		return "", fault(invalidInput, "%q is not an ARN of Glue.", arn)
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	var err error
	switch kind {
	case "database":
		name = strings.ToLower(name)
		_, err = g.database(name)
	case "table":
		name = strings.ToLower(name)
		database, table, _ := strings.Cut(name, "/")
		_, err = g.catalog.table(database, table)
	case "crawler":
		_, err = g.crawlerNamed(name)
	default:
		err = fault(invalidInput, "This local catalog keeps tags of databases, tables and crawlers, not of %q.", kind)
	}
	return kind + "/" + name, err
}
