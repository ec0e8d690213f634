package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A lasting is what a statement would leave behind on its connection, which others get next.
// The zero value is nothing.
type lasting struct {
	why   string // what it is and what to do instead; "" for nothing
	local bool   // a transaction ends it, or may use it
	soils bool   // it may leave something behind that cannot be seen: nobody gets the connection next
}

// with adds what another part of the statement leaves behind. What a transaction does not end comes first.
func (l lasting) with(other lasting) lasting {
	soils := l.soils || other.soils
	if l.why == "" || l.local && other.why != "" && !other.local {
		l = other
	}
	l.soils = soils
	return l
}

// commits says why a statement cannot run in a transaction of MySQL; "" when it can.
func commits(engine Engine, words []string) string {
	if engine != MySQL || len(words) == 0 || slices.Contains(words[:min(4, len(words))], "temporary") {
		return ""
	}
	switch words[0] {
	case "analyze", "optimize", "repair":
		if !slices.Contains(words[1:min(3, len(words))], "table") {
			return "" // "analyze select" explains
		}
		fallthrough
	case "create", "alter", "drop", "rename", "truncate", "grant", "revoke", "flush", "install", "uninstall":
		return fmt.Sprintf("%q ends the transaction: MySQL commits what ran before it, and a rollback would undo nothing; run it before or after the transaction, changes of tables best as a migration", words[0])
	}
	return ""
}

// lastingVerb looks at the beginning of a statement.
func lastingVerb(engine Engine, source, verb string) lasting {
	switch verb {
	case "select", "insert", "update", "delete", "with", "values", "replace":
		return lasting{}
	}
	words := beginning(engine, source, enough)
	switch engine {
	case SQLite:
		return lastingSQLite(words)
	case Postgres:
		return lastingPostgres(words)
	}
	return lastingMySQL(words)
}

// enough words say what a statement is.
const enough = 200

// beginning are the words and signs that a statement begins with, names without their quotes, in
// lower case.
func beginning(engine Engine, source string, limit int) []string {
	l := lexer{src: source, engine: engine}
	var out []string
	for t := l.next(); t.kind != kindEnd && len(out) < limit; t = l.next() {
		switch t.kind {
		case kindSpace:
		case kindName:
			out = append(out, strings.ToLower(strings.Trim(l.text(t), "\"`[]")))
		default:
			out = append(out, strings.ToLower(l.text(t)))
		}
	}
	return out
}

// is says that the words begin so.
func is(words []string, first ...string) bool {
	return len(words) >= len(first) && slices.Equal(words[:len(first)], first)
}

// hold says that the words have others among them, one after another.
func hold(words []string, others ...string) bool {
	for i := range words {
		if is(words[i:], others...) {
			return true
		}
	}
	return false
}

// makesTemporary says that something is created for the connection alone.
func makesTemporary(words []string) bool {
	if !is(words, "create") {
		return false
	}
	for i, w := range words[1:] {
		switch w {
		case "or", "replace", "global", "local", "virtual": // before what it is
			continue
		case "temp", "temporary":
			return true
		case "table", "view", "trigger": // of SQLite: temp.name
			rest := words[i+2:]
			if is(rest, "if", "not", "exists") {
				rest = rest[3:]
			}
			return is(rest, "temp", ".")
		}
		return false
	}
	return false
}

// pragmasThatTell have a value and set nothing, or something that is kept in the file.
var pragmasThatTell = []string{
	"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list", "foreign_key_check",
	"integrity_check", "quick_check", "user_version", "application_id", "wal_checkpoint", "optimize", "incremental_vacuum",
}

func lastingSQLite(words []string) lasting {
	if is(words, "explain") { // a pragma takes effect while it is prepared
		words = words[1:]
	}
	if is(words, "query", "plan") {
		words = words[2:]
	}
	switch {
	case is(words, "attach"), is(words, "detach"):
		return lasting{why: fmt.Sprintf("%q would hold for one of several connections: open the other file as a database of its own (app:db)", words[0])}
	case is(words, "vacuum") && slices.Contains(words, "into"):
		return lasting{why: `"vacuum into" writes files anywhere and replaces nothing: make a copy with backup (db:backup)`}
	case is(words, "pragma"):
		return lastingPragma(words[1:])
	case makesTemporary(words):
		return lasting{why: "what is temporary is seen by the one connection that writes, and by none that reads: make a table that stays, or use a subquery (with name as (…))"}
	}
	return lasting{}
}

// lastingPragma lets those pass that tell something.
func lastingPragma(words []string) lasting {
	if len(words) > 2 && words[1] == "." {
		words = words[2:]
	}
	if len(words) < 2 || words[1] != "=" && words[1] != "(" || slices.Contains(pragmasThatTell, words[0]) {
		return lasting{}
	}
	l := lasting{why: fmt.Sprintf("pragma %s would hold for one of several connections, and for whoever uses it next", words[0])}
	switch words[0] {
	case "defer_foreign_keys":
		return lasting{why: l.why + ": set it in a transaction, which ends it", local: true}
	case "foreign_keys", "busy_timeout", "synchronous", "cache_size":
		l.why += fmt.Sprintf(": put it into the URL (sqlite:app.db?%s=…)", words[0])
	case "query_only":
		l.why += ": open the database read only (?mode=ro), or begin a transaction that is"
	case "journal_mode":
		l.why += ": the log is a write-ahead log (wal), on which readers beside a writer depend"
	default:
		l.why += ": it can be set only in a migration without a transaction, for as long as that runs"
	}
	return l
}

func lastingPostgres(words []string) lasting {
	words = explained(words)
	switch {
	case is(words, "set", "local"), is(words, "set", "transaction"), is(words, "set", "constraints"):
		return lasting{why: fmt.Sprintf("\"set %s\" means nothing outside of a transaction", words[1]), local: true}
	case is(words, "set"), is(words, "reset"):
		return lasting{why: fmt.Sprintf("%q would hold for whoever uses the connection next: use \"set local\" in a transaction, or put it into the URL (?search_path=…, ?options=-c%%20name=value)", words[0])}
	case is(words, "listen"), is(words, "unlisten"):
		return lasting{why: fmt.Sprintf("%q belongs to one connection of the pool, where nobody would hear what is notified", words[0])}
	case is(words, "prepare"), is(words, "deallocate"), is(words, "discard"):
		return lasting{why: fmt.Sprintf("%q would change what others find on the connection: statements are kept prepared without it", words[0])}
	case is(words, "load"):
		return lasting{why: `"load" would hold for one of several connections`}
	case is(words, "do"), is(words, "call"), is(words, "declare"), is(words, "execute"):
		return lasting{soils: true}
	case makesTemporary(words):
		return lasting{why: "what is temporary belongs to one connection, which others get next: make it in a transaction, with \"on commit drop\"", local: hold(words, "on", "commit", "drop")}
	}
	return lasting{}
}

// copies says why a copy of Postgres between the server and its client, which wants rows sent in their
// own format or sends them so, is not run; "" for one of a file or program on the server. The rows would
// be waited for without end, or lost.
func copies(words []string) string {
	switch {
	case hold(words, "from", "stdin"):
		return "\"copy … from stdin\" waits for rows behind the statement, which nothing here sends: insert several rows at once (db:insert with a list), or use psql"
	case hold(words, "to", "stdout"):
		return "\"copy … to stdout\" sends text instead of rows, which would be lost: select them (db:each reads them one after another), or use psql"
	}
	return ""
}

// explained are the words behind explain, which with analyze runs what it explains.
func explained(words []string) []string {
	if !is(words, "explain") {
		return words
	}
	words = words[1:]
	if is(words, "(") {
		words = words[slices.Index(append(words, ")"), ")"):]
	}
	for len(words) > 0 && slices.Contains([]string{")", "analyze", "analyse", "verbose"}, words[0]) {
		words = words[1:]
	}
	return words
}

// allowed refuses what is not for a connection that others get next.
func (st *statement) allowed(inTx bool) error {
	why := st.lasting.why
	if inTx && st.lasting.local {
		why = ""
	}
	if inTx && why == "" {
		why = st.commits
	}
	if why == "" {
		return nil
	}
	return &Error{Code: CodeRefused, Statement: st.source, Err: fmt.Errorf("%s", why)}
}

type soilKey struct{}

// soil tells the connection that a statement may leave something behind.
func (st *statement) soil(ctx context.Context) context.Context {
	if !st.lasting.soils {
		return ctx
	}
	return context.WithValue(ctx, soilKey{}, true)
}

func soils(ctx context.Context) bool { return ctx.Value(soilKey{}) != nil }
