package db

import (
	"database/sql"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresOptions are handed to the driver, and by it partly to the server.
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
var postgresOptions = []string{
	"application_name", "channel_binding", "client_encoding", "connect_timeout", "default_query_exec_mode",
	"default_transaction_isolation", "default_transaction_read_only", "host", "idle_in_transaction_session_timeout",
	"lock_timeout", "options", "passfile", "port", "search_path", "service", "servicefile", "sslcert", "sslkey", "sslmode",
	"sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "statement_cache_capacity", "statement_timeout",
	"target_session_attrs", "timezone", "TimeZone",
}

func openPostgres(a *address, o Options) (*DB, error) {
	if err := a.check(postgresOptions); err != nil {
		return nil, err
	}
	query := url.Values{}
	for name, values := range a.query {
		if !isPoolOption(name) {
			query[name] = values
		}
	}
	u := *a.url
	u.Scheme, u.RawQuery = "postgres", encodeQuery(query)
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("%s", withoutURL(err))
	}
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "rws"
	}
	if o.ReadOnly {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	p := newPool(sql.OpenDB(connector{engine: Postgres, inner: stdlib.GetConnector(*config, stdlib.OptionAfterConnect(knowTypes)), changes: &changes{}}), o)
	return &DB{engine: Postgres, name: a.redacted(), read: p, write: p}, nil
}

// withoutURL keeps of the driver's message what follows the URL, which it quotes.
func withoutURL(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "`: "); ok {
		text = after
	}
	return "the URL cannot be used: " + text
}

func isPoolOption(name string) bool {
	for _, p := range poolOptions {
		if p == name {
			return true
		}
	}
	return false
}
