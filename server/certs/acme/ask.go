package acme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"rws/server/certs"
)

// Bounds of what clients can cause by asking for names that are none of ours.
const (
	askTime    = 5 * time.Second  // for one answer
	askAtOnce  = 8                // names that are asked about at a time; more are refused
	refusedFor = 30 * time.Second // a name that was refused is not asked about again
)

// ErrRefused is what [Options].Ask returns or wraps for a name that may have no certificate. Another error
// means that it could not tell: the name gets none either, and the log says why.
var ErrRefused = errors.New("the name may have no certificate")

// asker guards a function that says for which names there may be certificates.
type asker struct {
	allow   func(ctx context.Context, name string) error
	turns   chan struct{}
	refused *recent
	log     *slog.Logger

	mu   sync.Mutex
	told time.Time // when a failure was logged
	more int       // failures since, that were not
}

func newAsker(allow func(ctx context.Context, name string) error, log *slog.Logger) *asker {
	return &asker{allow: allow, turns: make(chan struct{}, askAtOnce), refused: newRecent(refusedFor), log: log}
}

func (a *asker) ask(ctx context.Context, name string) error {
	clean, err := hostName(name)
	if err != nil {
		return refusal(err)
	}
	if a.refused.has(clean) {
		return refusal(errors.New("it was refused a moment ago"))
	}
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	default:
		return errors.New("too many names are being asked about")
	}
	limited, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err = a.allow(limited, clean)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRefused):
		err = refusal(err)
	case ctx.Err() == nil: // else the server ends
		a.tell(clean, err)
	}
	a.refused.add(clean)
	return err
}

// refusal is an error by which the client learns that there is no such host here.
func refusal(why error) error { return fmt.Errorf("%w: %w", certs.ErrUnknownName, why) }

// tell logs a failure to find out whether a name may have a certificate, at most once in the time for which
// a name is not asked about again: clients come with as many names as they like.
func (a *asker) tell(name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.told.IsZero() && time.Since(a.told) < refusedFor {
		a.more++
		return
	}
	a.log.Error("asking whether a name may have a certificate; it gets none", "domain", name, "err", err, "untold", a.more)
	a.told, a.more = time.Now(), 0
}

// hostName is a name in ASCII that a client may ask for (RFC 6066 §3): no address, and no wildcard.
func hostName(name string) (string, error) {
	clean, err := Name(name)
	if err != nil {
		return "", err
	}
	if _, err := netip.ParseAddr(clean); err == nil || strings.HasPrefix(clean, "*.") {
		return "", fmt.Errorf("%q is no name of a host", name)
	}
	return clean, nil
}

// AskURL asks by a GET with the name as the parameter "domain"; only the status 200 allows it, and those
// from 500 on mean that it can't tell. Redirects are not followed.
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
			if e, ok := errors.AsType[*url.Error](err); ok {
				err = e.Err // without the query, which may have a key in it
			}
			return fmt.Errorf("asking %s whether there may be a certificate: %w", u.Host, err)
		}
		defer res.Body.Close()
		switch {
		case res.StatusCode == http.StatusOK:
			return nil
		case res.StatusCode < http.StatusInternalServerError:
			return fmt.Errorf("%w: %s answered %d for %q", ErrRefused, u.Host, res.StatusCode, name)
		}
		return fmt.Errorf("%s answered %d for %q", u.Host, res.StatusCode, name)
	}, nil
}
