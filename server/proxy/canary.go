package proxy

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/exchange"
	"rws/server/proxy/window"
)

// CanaryOptions of a [Canary].
type CanaryOptions struct {
	Name     string       // in logs and the cookie; letters, digits, "-"
	Old, New http.Handler // needed
	// Share of the clients that get New, 0 to 1.
	Share float64
	// Header is a request field by which a client chooses: "new", "always", "true", "1" or "canary"; "old",
	// "never", "false" or "0". Others are as none. "" for no such field. It also works after a rollback.
	Header string
	// Cookie is a cookie by which a client chooses, with the same words.
	Cookie string
	// Sticky keeps a client where it was: "cookie" has it keep a lot from 0 to 9999, which is drawn once;
	// "ip" makes the lot of its address. Those below Share get New, so that a greater share adds to them.
	// Default "": a lot for each request.
	Sticky string
	// MaxAge of the cookie of Sticky; default 24 h.
	MaxAge time.Duration
	// Rollback ends the trial by itself; nil never does.
	Rollback *Rollback
	Logger   *slog.Logger // hears of rollbacks; default slog.Default()
}

// Rollback says when New is bad.
type Rollback struct {
	Errors float64       // share of the answers of New that are 500 and above, or broken off: 0.02 for 2 %
	Window time.Duration // in which they are counted; default 1 min
	Least  int           // answers in the window before it is judged; default 20
	// OnRollback is told, once for each, on a goroutine of its own; may be nil.
	OnRollback func(CanaryState)
}

// CanaryState is how a trial stands.
type CanaryState struct {
	Share      float64
	RolledBack bool
	Reason     string    // of the rollback
	Since      time.Time // of the rollback
	Old, New   CanaryCount
}

// CanaryCount counts answers since the start.
type CanaryCount struct{ Requests, Errors uint64 }

// Canary gives a share of the clients a new version. Safe for concurrent use; made by [NewCanary].
type Canary struct {
	o      CanaryOptions
	header string
	recent *window.Counts // answers of New; nil without a Rollback

	mu    sync.Mutex
	state CanaryState
}

const lots = 10_000

// NewCanary checks the options.
func NewCanary(o CanaryOptions) (*Canary, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MaxAge == 0 {
		o.MaxAge = 24 * time.Hour
	}
	c := &Canary{o: o, header: canonical(o.Header), state: CanaryState{Share: o.Share}}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("canary %s: %w", o.Name, err)
	}
	if b := o.Rollback; b != nil {
		own := *b
		if own.Window == 0 {
			own.Window = time.Minute
		}
		if own.Least == 0 {
			own.Least = 20
		}
		c.o.Rollback = &own
		c.recent = window.New(own.Window)
	}
	return c, nil
}

func (c *Canary) check() error {
	o := &c.o
	switch {
	case o.Old == nil || o.New == nil:
		return errors.New("it needs an old and a new handler")
	case !isShare(o.Share):
		return fmt.Errorf("share %v: want 0 to 1", o.Share)
	case o.Header != "" && !httpguts.ValidHeaderFieldName(o.Header):
		return fmt.Errorf("header %q: it is no name of a header", o.Header)
	case o.Sticky != "" && o.Sticky != "cookie" && o.Sticky != "ip":
		return fmt.Errorf(`sticky %q: want "cookie", "ip" or nothing`, o.Sticky)
	case o.Sticky == "cookie" && !isName(o.Name):
		return fmt.Errorf(`name %q: the cookie needs one of letters, digits and "-"`, o.Name)
	case o.Rollback == nil:
		return nil
	case !isShare(o.Rollback.Errors) || o.Rollback.Errors == 1:
		return fmt.Errorf("rollback at %v errors: want 0 or more, and less than 1", o.Rollback.Errors)
	case o.Rollback.Window < 0 || o.Rollback.Least < 0:
		return fmt.Errorf("rollback window %s, least %d: must not be negative", o.Rollback.Window, o.Rollback.Least)
	}
	return nil
}

func isShare(x float64) bool { return x >= 0 && x <= 1 && !math.IsNaN(x) }

func isName(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// ServeHTTP implements [http.Handler].
func (c *Canary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, r := exchange.Of(r)
	if !c.chooses(w, r, e) {
		c.run(w, r, e, false)
		return
	}
	c.run(w, r, e, true)
}

// run has a version answer, and counts what it makes of that.
func (c *Canary) run(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, isNew bool) {
	seen, returned := &watch{ResponseWriter: w}, false
	defer func() { c.count(isNew, verdictOf(seen, e, returned)) }()
	if isNew {
		c.o.New.ServeHTTP(seen, r)
	} else {
		c.o.Old.ServeHTTP(seen, r)
	}
	returned = true
}

// verdict is what an answer tells of the version that gave it.
type verdict uint8

const (
	nothing verdict = iota // the client is at fault, or gone
	good
	failed
)

// verdictOf judges an answer. A handler that returned nothing but a fault has the server answer for it.
func verdictOf(w *watch, e *exchange.Exchange, returned bool) verdict {
	own, ok := errors.AsType[*Error](e.Fault)
	switch {
	case ok && own.refused:
		return nothing
	case ok, w.status >= http.StatusInternalServerError:
		return failed
	case returned && (e.Fault == nil || w.started()):
		return good
	case e.Err() != nil:
		return nothing
	}
	return failed
}

// chooses reports whether a request is for New.
func (c *Canary) chooses(w http.ResponseWriter, r *http.Request, e *exchange.Exchange) bool {
	if c.header != "" {
		if is, ok := choice(r.Header.Get(c.header)); ok {
			return is
		}
	}
	c.mu.Lock()
	share, rolled := c.state.Share, c.state.RolledBack
	c.mu.Unlock()
	if rolled {
		return false
	}
	if c.o.Cookie != "" {
		if cookie, err := r.Cookie(c.o.Cookie); err == nil {
			if is, ok := choice(cookie.Value); ok {
				return is
			}
		}
	}
	return float64(c.lot(w, r, e)) < share*lots
}

// choice reads the words by which a client chooses.
func choice(word string) (isNew, ok bool) {
	switch strings.ToLower(word) {
	case "new", "always", "true", "1", "canary":
		return true, true
	case "old", "never", "false", "0":
		return false, true
	}
	return false, false
}

// lot is a number below lots.
func (c *Canary) lot(w http.ResponseWriter, r *http.Request, e *exchange.Exchange) int {
	switch c.o.Sticky {
	case "ip":
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(c.o.Name))
		_, _ = hash.Write(e.ClientIP().AsSlice())
		return int(hash.Sum64() >> 11 % lots)
	case "cookie":
		return c.cookieLot(w, r, e)
	}
	return rand.IntN(lots)
}

func (c *Canary) cookieLot(w http.ResponseWriter, r *http.Request, e *exchange.Exchange) int {
	name := "canary-" + c.o.Name
	if cookie, err := r.Cookie(name); err == nil {
		if n, err := strconv.ParseUint(cookie.Value, 10, 16); err == nil && n < lots {
			return int(n)
		}
	}
	n := rand.IntN(lots)
	http.SetCookie(w, &http.Cookie{Name: name, Value: strconv.Itoa(n), Path: "/", MaxAge: int(c.o.MaxAge / time.Second),
		HttpOnly: true, Secure: r.TLS != nil || e.Secure, SameSite: http.SameSiteLaxMode})
	e.Private = true // no shared cache may give the cookie to others
	return n
}
