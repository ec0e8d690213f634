package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Bounds of what clients can cause by asking for names that are none of ours.
const (
	askTime    = 5 * time.Second  // for one answer
	askAtOnce  = 8                // names that are asked about at a time; more are refused
	refusedFor = 30 * time.Second // a name that was refused is not asked about again
)

// asker guards a function that says for which names there may be certificates.
type asker struct {
	allow   func(ctx context.Context, name string) error
	turns   chan struct{}
	refused *recent
}

func newAsker(allow func(ctx context.Context, name string) error) *asker {
	return &asker{allow: allow, turns: make(chan struct{}, askAtOnce), refused: newRecent(refusedFor)}
}

var errRefused = errors.New("it was refused a moment ago")

func (a *asker) ask(ctx context.Context, name string) error {
	clean, err := Name(name)
	if err != nil {
		return err
	}
	if a.refused.has(clean) {
		return errRefused
	}
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	default:
		return errors.New("too many names are being asked about")
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := a.allow(ctx, clean); err != nil {
		a.refused.add(clean)
		return err
	}
	return nil
}

// AskURL asks by a GET with the name as the parameter "domain"; only the status 200 allows it.
// Redirects are not followed.
func AskURL(target string) (func(ctx context.Context, name string) error, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL to ask whether there may be a certificate; want http:// or https://", target)
	}
	client := &http.Client{Timeout: askTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, name string) error {
		q := *u
		values := q.Query()
		values.Set("domain", name)
		q.RawQuery = values.Encode()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, q.String(), nil)
		if err != nil {
			return fmt.Errorf("asking whether there may be a certificate: %w", err)
		}
		res, err := client.Do(r)
		if err != nil {
			return fmt.Errorf("asking whether there may be a certificate: %w", err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %d for %q", u.Redacted(), res.StatusCode, name)
		}
		return nil
	}, nil
}
