package aws

import (
	"slices"
	"strings"
)

// functionsFor returns those of trinoFunctions that a text may call, with those that they call: making them all takes longer than many a query.
func functionsFor(text string) []string {
	text = strings.ToLower(text)
	var chosen []string
	for _, f := range slices.Backward(trinoFunctions) {
		name, _, _ := strings.Cut(f, "(")
		if strings.Contains(text, name) || name == "timezone" && strings.Contains(text, "zone") { // AT TIME ZONE calls timezone
			chosen = append(chosen, f)
			text += f
		}
	}
	slices.Reverse(chosen)
	return chosen
}

// trinoFunctions give the engine the functions of Trino that it has not, or that it understands otherwise. What one calls stands before it. Each
// is tested against what Trino documents.
var trinoFunctions = []string{
	// What the others are made of.
	`addend(u, n) AS CASE lower(u) WHEN 'millisecond' THEN to_milliseconds(n::DOUBLE) WHEN 'second' THEN to_seconds(n::DOUBLE)
		WHEN 'minute' THEN to_minutes(n::BIGINT) WHEN 'hour' THEN to_hours(n::BIGINT) WHEN 'day' THEN to_days(n::INTEGER)
		WHEN 'week' THEN to_days(7 * n::INTEGER) WHEN 'month' THEN to_months(n::INTEGER) WHEN 'quarter' THEN to_months(3 * n::INTEGER)
		WHEN 'year' THEN to_years(n::INTEGER) ELSE error('''' || u || ''' is not a valid Timestamp field') END`,
	`joda(f) AS list_reduce(['yyyy=%Y', 'YYYY=%Y', 'yy=%y', 'MMMM=%B', 'MMM=%b', 'MM=%m', 'dd=%d', 'HH=%H', 'hh=%I', 'mm=%M', 'SSS=%g', 'ss=%S',
		'EEEE=%A', 'EEE=%a', '''='], lambda t, p: replace(t, split_part(p, '=', 1), split_part(p, '=', 2)), f)`,
	`mysql(f) AS replace(replace(replace(f, '%M', '%B'), '%i', '%M'), '%s', '%S')`,

	// Times. Without a zone a time is one of UTC; Trino counts whole units, the engine boundaries.
	`date_diff(u, a, b) AS datesub(lower(u), a::TIMESTAMP, b::TIMESTAMP)`,
	`date_add(u, n, t DATE) AS (t + addend(u, n))::DATE, (u, n, t TIMESTAMPTZ) AS t + addend(u, n), (u, n, t TIMESTAMP) AS t + addend(u, n)`,
	`timezone(z, t TIMESTAMPTZ) AS t, (z, t TIMESTAMP) AS system.main.timezone(z, t)`,
	`with_timezone(t, z) AS system.main.timezone(z, t::TIMESTAMP)`,
	`at_timezone(t, z) AS t::TIMESTAMPTZ`,
	`from_iso8601_timestamp(x) AS x::TIMESTAMPTZ`,
	`from_iso8601_date(x) AS x::DATE`,
	`from_unixtime(x) AS make_timestamp(round(x::DOUBLE * 1000)::BIGINT * 1000)::TIMESTAMPTZ`,
	`date_trunc(u, x DATE) AS system.main.date_trunc(u, x)::DATE, (u, x TIMESTAMP) AS system.main.date_trunc(u, x),
		(u, x TIMESTAMPTZ) AS system.main.date_trunc(u, x)`,
	`to_unixtime(x) AS epoch_us(x) / 1000000::DOUBLE`,
	`to_iso8601(x) AS strftime(x, '%Y-%m-%dT%H:%M:%S.%gZ')`,
	`date_format(x, f) AS strftime(x, mysql(f))`,
	`format_datetime(x, f) AS strftime(x, joda(f))`,
	`zoned(x) AS x::TIMESTAMPTZ`,
	`day_of_week(x) AS isodow(x)`, `dow(x) AS isodow(x)`, `day_of_year(x) AS dayofyear(x)`, `doy(x) AS dayofyear(x)`,
	`day_of_month(x) AS day(x)`, `week_of_year(x) AS week(x)`, `year_of_week(x) AS isoyear(x)`,

	// Aggregates.
	`approx_distinct(x) AS approx_count_distinct(x), (x, e) AS approx_count_distinct(x)`,
	`approx_percentile(x, p) AS approx_quantile(x, p), (x, w, p) AS approx_quantile(x, p)`,
	`arbitrary(x) AS any_value(x)`,
	`every(x) AS bool_and(x)`,
	`map_agg(k, v) AS map(list(k), list(v))`,
	`geometric_mean(x) AS exp(avg(ln(x)))`,

	// Arrays and maps.
	`element_at(x, k) AS x[k]`,
	`cardinality(x) AS system.main.greatest(json_array_length(to_json(x)), len(json_keys(to_json(x))))::BIGINT`,
	`contains(l, x) AS list_contains(l, x)`,
	`sequence(a, b) AS CASE WHEN abs(b - a) >= 10000 THEN error('result of sequence function must not have more than 10000 entries')
		ELSE generate_series(a, b, CASE WHEN b < a THEN -1 ELSE 1 END) END, (a, b, c) AS generate_series(a, b, c)`,
	`array_join(l, d) AS array_to_string(l, d), (l, d, n) AS array_to_string(list_transform(l, lambda e: coalesce(e::VARCHAR, n)), d)`,
	`array_max(l) AS list_max(l)`, `array_min(l) AS list_min(l)`, `array_sort(l) AS list_sort(l, 'ASC', 'NULLS LAST')`,
	`array_sum(l) AS list_sum(l)`, `slice(l, a, n) AS list_slice(l, a, a + n - 1)`,

	// Texts.
	`regexp_like(x, p) AS regexp_matches(x, p)`,
	`regexp_extract(x, p) AS nullif(system.main.regexp_extract(x, p), ''), (x, p, g) AS nullif(system.main.regexp_extract(x, p, g), '')`,
	`regexp_replace(x, p) AS system.main.regexp_replace(x, p, '', 'g'), (x, p, r) AS system.main.regexp_replace(x, p, system.main.regexp_replace(r, '\$(\d)', '\\\1', 'g'), 'g')`,
	`split(x, d) AS string_split(x, d)`,
	`codepoint(x) AS unicode(x)`,
	`json_extract_scalar(x, p) AS json_extract_string(x, p)`,
	`json_parse(x) AS x::JSON`,
	`json_format(x) AS x::JSON::VARCHAR`,
	`to_hex(x) AS hex(x)`, `from_hex(x) AS unhex(x)`, `to_utf8(x) AS encode(x)`, `from_utf8(x) AS decode(x)`,

	// Where one argument is NULL the whole is.
	`concat(a, b) AS a || b, (a, b, c) AS a || b || c, (a, b, c, d) AS a || b || c || d, (a, b, c, d, e) AS a || b || c || d || e,
		(a, b, c, d, e, f) AS a || b || c || d || e || f`,
	`greatest(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE system.main.greatest(a, b) END,
		(a, b, c) AS CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE system.main.greatest(a, b, c) END`,
	`least(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE system.main.least(a, b) END,
		(a, b, c) AS CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE system.main.least(a, b, c) END`,

	// Numbers.
	`truncate(x) AS trunc(x)`,
	`rand() AS random()`,
	`is_nan(x) AS isnan(x)`, `is_finite(x) AS isfinite(x)`, `is_infinite(x) AS isinf(x)`,
	`nan() AS 'NaN'::DOUBLE`, `infinity() AS 'Infinity'::DOUBLE`,
	`width_bucket(x, lo, hi, n) AS CASE WHEN x < lo THEN 0 WHEN x >= hi THEN n + 1 ELSE floor((x - lo) * n / (hi - lo))::BIGINT + 1 END`,
}
