package db

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Scratch makes something empty on the server of a URL: a schema of Postgres, which must let
// the user create one, or a database of MySQL. It returns the URL that leads there, and what
// removes it with all that is in it.
func Scratch(ctx context.Context, text string) (scratch string, drop func() error, err error) {
	a, err := parseURL(text)
	if err != nil {
		return "", nil, &Error{Code: CodeURL, Err: err}
	}
	if a.engine == SQLite {
		return "", nil, refuse("a database of SQLite needs no server: take another file")
	}
	name := "rws_test_" + strings.ToLower(rand.Text()[:16])
	if err := onServer(ctx, text, fmt.Sprintf("create %s %s", containerOf(a.engine), name)); err != nil {
		return "", nil, err
	}
	drop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		statement := fmt.Sprintf("drop %s %s", containerOf(a.engine), name)
		if a.engine == Postgres {
			statement += " cascade"
		}
		return onServer(ctx, text, statement)
	}
	return a.inside(name), drop, nil
}

func containerOf(engine Engine) string {
	if engine == Postgres {
		return "schema"
	}
	return "database"
}

// inside is the URL of the schema or database called name.
func (a *address) inside(name string) string {
	u, query := *a.url, url.Values{}
	for k, v := range a.query {
		query[k] = v
	}
	if a.engine == Postgres {
		query.Set("search_path", name)
	} else {
		u.Path = "/" + name
	}
	u.RawQuery = encodeQuery(query)
	return u.String()
}

// onServer runs one statement.
func onServer(ctx context.Context, text, statement string) error {
	d, err := Open(text, Options{MaxOpen: 1})
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.Exec(ctx, statement, Verbatim{})
	return err
}
