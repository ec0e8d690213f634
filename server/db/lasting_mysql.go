package db

import (
	"fmt"
	"slices"
	"strings"
)

func lastingMySQL(words []string) lasting {
	switch {
	case is(words, "set"):
		return lastingSet(words[1:])
	case is(words, "use"):
		return lasting{why: `"use" would hold for whoever uses the connection next: write database.table, or open the other database by its URL`}
	case is(words, "lock", "tables"), is(words, "lock", "table"), is(words, "unlock"):
		return lasting{why: fmt.Sprintf("%q would hold for whoever uses the connection next: lock rows in a transaction, with \"for update\"", words[0])}
	case is(words, "backup"):
		return lasting{why: "\"backup\" of MariaDB would hold changes of tables up, for this program and others, for as long as the connection lives: run it in a migration without a transaction, or by a program for backups"}
	case is(words, "flush") && (slices.Contains(words, "lock") || slices.Contains(words, "export")):
		return lasting{why: "\"flush tables with read lock\" would hold for whoever uses the connection next, and for every writer: run it in a migration without a transaction, for as long as that runs"}
	case is(words, "call"), is(words, "do"):
		return lasting{soils: true}
	case is(words, "prepare"), is(words, "execute"), is(words, "deallocate"), is(words, "handler"):
		return lasting{why: fmt.Sprintf("%q would change what others find on the connection: statements are kept prepared without it", words[0])}
	case makesTemporary(words):
		return lasting{why: "what is temporary belongs to one connection, which others get next: make it in a transaction, and drop it there", local: true, soils: true}
	}
	return lasting{}
}

// lastingSet lets pass what is for the whole server. Each assignment of a list says by itself what
// it is for.
func lastingSet(words []string) lasting {
	var l lasting
	for _, assignment := range assignments(words) {
		l = l.with(lastingAssignment(assignment))
	}
	return l
}

func lastingAssignment(words []string) lasting {
	if is(words, "@", "@") {
		words = words[2:]
	}
	switch {
	case len(words) == 0, slices.Contains([]string{"global", "persist", "persist_only", "password"}, words[0]):
		return lasting{}
	case words[0] == "@":
		return lasting{why: "variables belong to one connection: set and use them in a transaction", local: true, soils: true}
	}
	return lasting{why: `"set" would hold for whoever uses the connection next: put it into the URL (?sql_mode=…, ?time_zone=…), or write "set statement … for …"; what is for the whole server says "global" before each name`}
}

// assignments cuts a list at the commas that are not in parentheses.
func assignments(words []string) [][]string {
	var out [][]string
	depth, from := 0, 0
	for i, w := range words {
		switch {
		case w == "(":
			depth++
		case w == ")":
			depth--
		case w == "," && depth == 0:
			out = append(out, words[from:i])
			from = i + 1
		}
	}
	return append(out, words[from:])
}

// effective is the statement that MariaDB runs where settings for it stand before: what is behind
// the for of "set statement … for …", however many there are. All else is its own.
func effective(engine Engine, source string) string {
	if engine != MySQL {
		return source
	}
	for {
		inner, ok := behindFor(source)
		if !ok {
			return source
		}
		source = inner
	}
}

func behindFor(source string) (string, bool) {
	l := lexer{src: source, engine: MySQL}
	depth, words := 0, 0
	for t := l.next(); t.kind != kindEnd; t = l.next() {
		text := l.text(t)
		switch {
		case t.kind == kindSpace:
			continue
		case words < 2 && !strings.EqualFold(text, [2]string{"set", "statement"}[words]):
			return "", false
		case text == "(":
			depth++
		case text == ")":
			depth--
		case t.kind == kindWord && depth == 0 && strings.EqualFold(text, "for"):
			return source[t.end:], true
		}
		words++
	}
	return "", false
}
