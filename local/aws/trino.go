package aws

import (
	"regexp"
	"slices"
	"strings"
)

// What Athena's SQL, which is Trino's, has and the local engine has not is made up for in two ways: functions by macros (see trinoFunctions), and
// what no macro can do by changes of the text, here.

// hiddenColumns are the columns that every table has besides its own.
var hiddenColumns = []string{"$path", "$file_size", "$file_modified_time"}

// namesHidden tells whether words name a hidden column.
func namesHidden(words []word) bool {
	return slices.ContainsFunc(words, func(w word) bool { return w.quote == '"' && slices.Contains(hiddenColumns, strings.ToLower(w.text)) })
}

// starEdits lets the stars of select lists stand for all columns but the hidden ones.
func starEdits(words []word) []edit {
	var edits []edit
	for i, w := range words {
		if !w.is("*") || i == 0 {
			continue
		}
		before := words[i-1]
		selects := before.is("select") || before.is("distinct") || before.is("all") || before.is(",") || before.is(".")
		last := i == len(words)-1
		if selects && (last || words[i+1].is(",") || words[i+1].is("from") || words[i+1].is(")")) {
			edits = append(edits, edit{w.end, w.end, ` NOT LIKE '$%'`})
		}
	}
	return edits
}

// renamed are functions that take lambdas, which no macro can hand on.
var renamed = map[string]string{"transform": "list_transform", "filter": "list_filter"}

// zoned is the text of a time with a zone behind it.
var zoned = regexp.MustCompile(`\d (UTC|GMT|Z|[A-Z][A-Za-z]+/[A-Za-z_/]+|[+-]\d\d:?\d\d)$`)

// noSeconds is the text of a time that says no seconds, which the engine wants.
var noSeconds = regexp.MustCompile(`^(\d+-\d+-\d+ \d+:\d+) `)

// trinoEdits returns the changes that make Trino's text the engine's.
func trinoEdits(words []word) []edit {
	var edits []edit
	at := func(i int) word {
		if i >= 0 && i < len(words) {
			return words[i]
		}
		return word{text: " ", quote: ' '}
	}
	for i, w := range words {
		switch {
		case w.is("timestamp") && at(i+1).quote == '\'' && zoned.MatchString(at(i+1).text):
			text := literal(noSeconds.ReplaceAllString(at(i+1).text, "$1:00 "))
			edits = append(edits, edit{w.begin, w.end, "TIMESTAMPTZ"}, edit{at(i + 1).begin, at(i + 1).end, text})
		case w.is("row") && at(i-1).is("as") && at(i+1).is("("):
			edits = append(edits, edit{w.begin, w.end, "STRUCT"})
		case w.quote == 0 && renamed[strings.ToLower(w.text)] != "" && at(i+1).is("(") && !at(i-1).is(")"):
			edits = append(edits, edit{w.begin, w.end, renamed[strings.ToLower(w.text)]})
		case (w.is("date_parse") || w.is("parse_datetime")) && at(i+1).is("("):
			edits = append(edits, parsing(words[i:])...)
		case w.is("-") && at(i+1).is(">") && at(i+1).begin == w.end:
			edits = append(edits, lambda(words, i)...)
		}
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return a.begin - b.begin })
	return edits
}

// lambda turns x -> and (x, y) -> into lambda x, y: - the sign alone means something else to the engine.
func lambda(words []word, arrow int) []edit {
	sign := edit{words[arrow].begin, words[arrow+1].end, ":"}
	if arrow == 0 {
		return nil
	}
	if last := words[arrow-1]; !last.is(")") {
		if !last.isName() {
			return nil
		}
		return []edit{{last.begin, last.begin, "lambda "}, sign}
	}
	for i := arrow - 2; i >= 0; i-- {
		switch w := words[i]; {
		case w.is("("):
			return []edit{{w.begin, w.end, "lambda "}, {words[arrow-1].begin, words[arrow-1].end, ""}, sign}
		case !w.isName() && !w.is(","):
			return nil
		}
	}
	return nil
}

// Forms of times in patterns: MySQL's, which date_parse has, and Joda's, which parse_datetime has; the engine's are C's.
var (
	fromMySQL = strings.NewReplacer("%M", "%B", "%i", "%M", "%s", "%S", "%T", "%H:%M:%S", "%e", "%-d", "%k", "%-H", "%c", "%-m")
	fromJoda  = strings.NewReplacer("yyyy", "%Y", "YYYY", "%Y", "yy", "%y", "MMMM", "%B", "MMM", "%b", "MM", "%m", "dd", "%d", "HH", "%H", "hh", "%I",
		"mm", "%M", "SSS", "%g", "ss", "%S", "EEEE", "%A", "EEE", "%a", "'", "", "ZZ", "%z", "Z", "%z")
)

// parsing translates a call of date_parse or parse_datetime, whose pattern the engine wants to know beforehand.
func parsing(words []word) []edit {
	inner, err := (&parser{"", words[1:]}).parens()
	if err != nil || len(inner.words) == 0 {
		return nil
	}
	pattern := inner.words[len(inner.words)-1]
	if pattern.quote != '\'' {
		return nil
	}
	call, end, form := words[0], pattern.end, fromMySQL.Replace(pattern.text)
	if call.is("date_parse") {
		return []edit{{call.begin, call.end, "strptime"}, {pattern.begin, end, literal(form)}}
	}
	return []edit{{call.begin, call.end, "zoned(strptime"}, {pattern.begin, end, literal(fromJoda.Replace(pattern.text)) + ")"}}
}
