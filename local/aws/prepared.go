package aws

import (
	"context"
	"regexp"
	"strings"
)

// A preparedStatement is a text with question marks that a work group keeps under a name.
type preparedStatement struct {
	StatementName    string
	QueryStatement   string
	WorkGroupName    string
	Description      string `json:",omitempty"`
	LastModifiedTime seconds
}

var statementName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_@:]{0,255}$`)

// statement reads a request's statement: the text itself, or for EXECUTE the prepared one with its parameters.
func (a *athena) statement(group string, in *startRequest) (*statement, error) {
	words, err := split(in.QueryString)
	if err != nil {
		return nil, err
	}
	p := &parser{in.QueryString, words}
	switch {
	case p.take("execute"):
		return a.execute(group, p, in.ExecutionParameters)
	case p.take("prepare"):
		d, err := readPrepare(p)
		return a.keeping(d, group, err)
	case p.take("deallocate", "prepare"), p.take("deallocate"):
		name, err := p.name("identifier")
		if err == nil {
			err = p.end()
		}
		return a.keeping(&preparing{name: name}, group, err)
	}
	return classify(in.QueryString, in.ExecutionParameters)
}

// execute reads EXECUTE name [USING value, ...].
func (a *athena) execute(group string, p *parser, parameters []string) (*statement, error) {
	at := p.peek()
	name, err := p.name("identifier")
	if err != nil {
		return nil, err
	}
	kept, err := a.prepared(group, name)
	if err != nil {
		return nil, invalid("line %s: Prepared statement not found: %s", position(p.sql, at.begin), name)
	}
	if p.take("using") {
		parameters = nil
		for _, words := range commaParts(p.words) {
			if len(words) == 0 {
				return nil, p.unexpected("a value")
			}
			parameters = append(parameters, p.sql[words[0].begin:words[len(words)-1].end])
		}
	} else if err := p.end(); err != nil {
		return nil, err
	}
	return classify(kept.QueryStatement, parameters)
}

// commaParts cuts words where a comma stands outside of parentheses and brackets.
func commaParts(words []word) [][]word {
	depth, begin := 0, 0
	var parts [][]word
	for i, w := range words {
		switch {
		case w.is("("), w.is("["):
			depth++
		case w.is(")"), w.is("]"):
			depth--
		case w.is(",") && depth == 0:
			parts, begin = append(parts, words[begin:i]), i+1
		}
	}
	return append(parts, words[begin:])
}

// preparing is PREPARE, or DEALLOCATE where it has no text.
type preparing struct {
	name, text string
	keep       func() error
}

func (d *preparing) sub() string {
	if d.text == "" {
		return "DEALLOCATE"
	}
	return "PREPARE"
}

// readPrepare reads PREPARE name FROM statement.
func readPrepare(p *parser) (*preparing, error) {
	name, err := p.name("identifier")
	if err == nil {
		err = p.want("from")
	}
	if err == nil && len(p.words) == 0 {
		err = p.unexpected("a statement")
	}
	if err != nil {
		return nil, err
	}
	return &preparing{name: name, text: strings.TrimRight(p.sql[p.words[0].begin:], "; \n\t\r")}, nil
}

func (a *athena) keeping(d *preparing, group string, err error) (*statement, error) {
	if err != nil {
		return nil, err
	}
	d.keep = func() error {
		if d.text == "" {
			return a.dropPrepared(group, d.name)
		}
		return a.keepPrepared(&preparedStatement{StatementName: d.name, QueryStatement: d.text, WorkGroupName: group}, nil)
	}
	return &statement{kind: defining, sub: d.sub(), define: d}, nil
}

func (a *athena) prepared(group, name string) (*preparedStatement, error) {
	s, err := kept[preparedStatement](a.keeper, preparedItems+group+"/", strings.ToLower(name))
	if err == nil && s == nil {
		err = fault("ResourceNotFoundException", "PreparedStatement %s was not found", name)
	}
	return s, err
}

// keepPrepared puts a prepared statement kept; check is asked about what is there.
func (a *athena) keepPrepared(s *preparedStatement, check func(old *preparedStatement) error) error {
	s.StatementName, s.LastModifiedTime = strings.ToLower(s.StatementName), secondsOf(a.now())
	switch {
	case !statementName.MatchString(s.StatementName):
		return invalid("StatementName %q is not valid.", s.StatementName)
	case s.QueryStatement == "" || len(s.QueryStatement) > queryTextMax:
		return invalid("QueryStatement must have 1 to %d bytes.", queryTextMax)
	}
	return keep(a.keeper, preparedItems+s.WorkGroupName+"/", s.StatementName, func(old *preparedStatement) (*preparedStatement, error) {
		if check != nil {
			if err := check(old); err != nil {
				return nil, err
			}
		}
		return s, nil
	})
}

func (a *athena) dropPrepared(group, name string) error {
	if _, err := a.prepared(group, name); err != nil {
		return err
	}
	return keep(a.keeper, preparedItems+group+"/", strings.ToLower(name), func(*preparedStatement) (*preparedStatement, error) { return nil, nil })
}

// A preparedRequest is what creation and update of a prepared statement send.
type preparedRequest struct{ StatementName, WorkGroup, QueryStatement, Description string }

func (a *athena) savePrepared(in *preparedRequest, check func(old *preparedStatement) error) (none, error) {
	g, err := a.group(in.WorkGroup)
	if err != nil {
		return none{}, err
	}
	return none{}, a.keepPrepared(&preparedStatement{
		StatementName: in.StatementName, QueryStatement: in.QueryStatement, WorkGroupName: g.Name, Description: in.Description,
	}, check)
}

func (a *athena) createPreparedStatement(in *preparedRequest) (none, error) {
	return a.savePrepared(in, func(old *preparedStatement) error {
		if old != nil {
			return invalid("Prepared Statement %s already exists in WorkGroup %s", in.StatementName, old.WorkGroupName)
		}
		return nil
	})
}

func (a *athena) updatePreparedStatement(in *preparedRequest) (none, error) {
	return a.savePrepared(in, func(old *preparedStatement) error {
		if old == nil {
			return fault("ResourceNotFoundException", "PreparedStatement %s was not found", in.StatementName)
		}
		return nil
	})
}

func (a *athena) getPreparedStatement(in *preparedRequest) (any, error) {
	g, err := a.group(in.WorkGroup)
	if err != nil {
		return nil, err
	}
	s, err := a.prepared(g.Name, in.StatementName)
	return struct{ PreparedStatement *preparedStatement }{s}, err
}

func (a *athena) deletePreparedStatement(in *preparedRequest) (none, error) {
	g, err := a.group(in.WorkGroup)
	if err != nil {
		return none{}, err
	}
	return none{}, a.dropPrepared(g.Name, in.StatementName)
}

type preparedSummary struct {
	StatementName    string
	LastModifiedTime seconds
}

func (a *athena) listPreparedStatements(in *struct {
	paging
	WorkGroup string
},
) (any, error) {
	g, err := a.group(in.WorkGroup)
	if err != nil {
		return nil, err
	}
	all, err := keptAll[preparedStatement](a.keeper, preparedItems+g.Name+"/")
	if err != nil {
		return nil, err
	}
	summaries := make([]preparedSummary, len(all))
	for i, s := range all {
		summaries[i] = preparedSummary{s.StatementName, s.LastModifiedTime}
	}
	items, next, err := pageOf(summaries, in.paging, executionsPage)
	return struct {
		PreparedStatements []preparedSummary
		NextToken          string `json:",omitempty"`
	}{items, next}, err
}

func (a *athena) batchGetPreparedStatement(in *struct {
	PreparedStatementNames []string
	WorkGroup              string
},
) (any, error) {
	g, err := a.group(in.WorkGroup)
	if err != nil {
		return nil, err
	}
	if n := len(in.PreparedStatementNames); n == 0 || n > batchMax {
		return nil, invalid("PreparedStatementNames must have 1 to %d members, and has %d.", batchMax, n)
	}
	type missed struct{ StatementName, ErrorCode, ErrorMessage string }
	answer := struct {
		PreparedStatements                []*preparedStatement
		UnprocessedPreparedStatementNames []missed
	}{[]*preparedStatement{}, []missed{}}
	for _, name := range in.PreparedStatementNames {
		s, err := a.prepared(g.Name, name)
		if err != nil {
			answer.UnprocessedPreparedStatementNames = append(answer.UnprocessedPreparedStatementNames,
				missed{name, "STATEMENT_NOT_FOUND", asFault(err).message})
			continue
		}
		answer.PreparedStatements = append(answer.PreparedStatements, s)
	}
	return answer, nil
}

// run keeps or forgets the statement.
func (d *preparing) run(context.Context, *definer, *query) (*result, error) {
	return &result{}, d.keep()
}
