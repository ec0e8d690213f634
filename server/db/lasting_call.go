package db

import (
	"fmt"
	"slices"
	"strings"
)

// Words without which lastingCall has nothing to find, so that most statements are not cut up.
var lastingWords = map[Engine][]string{
	Postgres: append([]string{"set_config", "pg_advisory_", "pg_try_advisory_", "into", "pg_settings"}, soilingWords...),
	MySQL:    {"get_lock", "@"},
}

// soilingWords of Postgres may hide anything: a name in Unicode escapes, the schema of what is
// temporary, functions that run SQL which they are given. Strings count, too.
var soilingWords = []string{
	`u&"`, "pg_temp", "query_to_xml", "ts_stat", "ts_rewrite", "crosstab", "connectby", "dblink_connect", "setseed", "pg_replication_origin_session_setup",
}

// lastingCall looks for functions in a statement of any kind that leave something behind, and for
// what a select puts its rows into. What functions, triggers and views of the database do by
// themselves is not seen.
func lastingCall(engine Engine, source string) lasting {
	lower := strings.ToLower(source)
	holds := func(w string) bool { return strings.Contains(lower, w) }
	if !slices.ContainsFunc(lastingWords[engine], holds) {
		return lasting{}
	}
	words := beginning(engine, source, len(source))
	if engine == MySQL {
		return lastingCallMySQL(words)
	}
	l := lastingCallPostgres(words)
	l.soils = slices.ContainsFunc(soilingWords, holds)
	return l
}

func lastingCallPostgres(words []string) (l lasting) {
	for i, w := range words {
		l = l.with(lastingWordPostgres(w, words[i+1:]))
	}
	return l
}

// lastingWordPostgres looks at one word and what comes behind it.
func lastingWordPostgres(w string, rest []string) lasting {
	switch {
	case w == "into" && intoTemporary(rest):
		return lasting{why: "what is temporary belongs to one connection, which others get next: make it in a transaction, with \"create temp table … on commit drop as select …\""}
	case strings.HasPrefix(w, "pg_temp") && is(rest, "."):
		return lasting{local: true, why: "what is temporary belongs to one connection, which others get next: make it in a transaction, and use it there"}
	case w == "update" && updatesSettings(rest):
		return lasting{why: "an update of pg_settings would hold for whoever uses the connection next: use \"set local\" in a transaction, or put the setting into the URL (?options=-c%20name=value)"}
	case !is(rest, "("):
	case w == "set_config":
		local := lastArgument(rest[1:]) == "true"
		return lasting{local: local, why: "set_config would hold for whoever uses the connection next: use it in a transaction, with true as the last argument, or put the setting into the URL (?options=-c%20name=value)"}
	case sessionLock(w):
		return lasting{why: fmt.Sprintf("%s would hold for whoever uses the connection next: use pg_advisory_xact_lock in a transaction, whose end frees it", w)}
	}
	return lasting{}
}

// updatesSettings says that the words behind an update name the view of settings, which sets them.
func updatesSettings(words []string) bool {
	if is(words, "only") {
		words = words[1:]
	}
	if is(words, "pg_catalog", ".") {
		words = words[2:]
	}
	return is(words, "pg_settings")
}

// sessionLock names the locks of Postgres that outlast a transaction.
func sessionLock(name string) bool {
	name = strings.TrimSuffix(name, "_shared")
	return name == "pg_advisory_lock" || name == "pg_try_advisory_lock"
}

// intoTemporary says that the words behind an into name a table of the connection.
func intoTemporary(words []string) bool {
	if is(words, "local") || is(words, "global") {
		words = words[1:]
	}
	return is(words, "temp") || is(words, "temporary")
}

// lastArgument is the word that stands alone at the end of arguments; "" for more than a word.
func lastArgument(words []string) string {
	depth, from := 0, 0
	for i, w := range words {
		switch {
		case w == "(":
			depth++
		case w == ")" && depth > 0:
			depth--
		case w == ")":
			return strings.Join(words[from:i], " ")
		case w == "," && depth == 0:
			from = i + 1
		}
	}
	return ""
}

func lastingCallMySQL(words []string) (l lasting) {
	for i, w := range words {
		rest := words[i+1:]
		switch {
		case w == "get_lock" && is(rest, "("):
			l = l.with(lasting{why: "get_lock would hold for whoever uses the connection next: use rws.lock, or lock rows in a transaction, with \"for update\""})
		case w == "into" && is(rest, "@"), w == "@" && is(rest[min(1, len(rest)):], ":", "="):
			l = l.with(lasting{why: "variables belong to one connection: set and use them in a transaction", local: true, soils: true})
		}
	}
	return l
}
