package aws

// definitionOf returns what reads the definition that comes, by its first words, which it takes; or nil.
func definitionOf(p *parser) func(src *source, p *parser) (definition, error) {
	switch {
	case p.take("create", "or", "replace", "view"):
		return func(src *source, p *parser) (definition, error) { return readCreateView(src, p, true) }
	case p.take("create", "view"):
		return func(src *source, p *parser) (definition, error) { return readCreateView(src, p, false) }
	case p.take("drop", "table"):
		return func(_ *source, p *parser) (definition, error) { return readDropTable(p, false) }
	case p.take("drop", "view"):
		return func(_ *source, p *parser) (definition, error) { return readDropTable(p, true) }
	}
	return nil
}
