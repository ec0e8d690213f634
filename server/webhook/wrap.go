package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"rws/server/exchange"
	"rws/server/problem"
)

// Wrap guards next: what does not hold is answered with 403, a replay with 409, a body that is too
// long with 413, and while the store of replays fails everything with 503. The reason is for the
// log alone. next finds the body as it was sent.
//
// When next answers with anything but 2xx, or panics, a webhook is forgotten by the store of replays:
// its sender takes it for not delivered, and sends it again.
func (h *Hook) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, r := exchange.Of(r)
		err := h.mayRead(r)
		var body []byte
		if err == nil {
			body, err = h.read(r)
		}
		var name string
		if err == nil {
			name, err = h.verify(r.Context(), r.Header, body)
		}
		if err != nil {
			refuse(w, r, e, err)
			return
		}
		r = r.WithContext(r.Context()) // a copy, which may be changed
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		h.handle(w, r, e, name, next)
	})
}

// mayRead refuses what is refused whatever its body is: who waits to be told to send it (RFC 9110
// §10.1.1) is not.
func (h *Hook) mayRead(r *http.Request) error {
	if r.ContentLength > h.o.MaxBody {
		return &http.MaxBytesError{Limit: h.o.MaxBody}
	}
	_, err := h.claim(r.Header)
	return err
}

// read reads the body; the server closes it.
func (h *Hook) read(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, h.o.MaxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading a webhook (%s): %w", h.o.Provider, err)
	case int64(len(body)) > h.o.MaxBody:
		return nil, &http.MaxBytesError{Limit: h.o.MaxBody}
	}
	return body, nil
}

// handle calls the handler, and forgets the webhook unless it was delivered.
func (h *Hook) handle(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, name string, next http.Handler) {
	if h.o.Replays == nil {
		next.ServeHTTP(w, r)
		return
	}
	watched := &watcher{ResponseWriter: w}
	done := false
	defer func() {
		if done && e.Fault == nil && watched.delivered() {
			return
		}
		// The client may be gone; what the store remembers matters all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Second)
		defer cancel()
		if err := h.o.Replays.Forget(ctx, name); err != nil {
			e.Fault = errors.Join(e.Fault, h.explain(fmt.Errorf("%w: %w", ErrStore, err)))
		}
	}()
	next.ServeHTTP(watched, r)
	done = true
}

// watcher sees the status of an answer.
type watcher struct {
	http.ResponseWriter
	status int
}

func (w *watcher) WriteHeader(status int) {
	if w.status < 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// delivered reports whether the sender is told so; a handler that writes nothing answers 200.
func (w *watcher) delivered() bool { return w.status == 0 || w.status >= 200 && w.status <= 299 }

// Unwrap lets [http.ResponseController] find what the writer can do.
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// refuse answers for what does not hold.
func refuse(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, err error) {
	e.Fault = err
	status, detail := http.StatusBadRequest, "The request body could not be read."
	long, _ := errors.AsType[*http.MaxBytesError](err)
	switch {
	case long != nil:
		status, detail = http.StatusRequestEntityTooLarge, fmt.Sprintf("The request body is larger than %d bytes.", long.Limit)
	case errors.Is(err, ErrStore):
		status, detail = http.StatusServiceUnavailable, "Webhooks cannot be checked at the moment."
	case errors.Is(err, ErrReplay):
		status, detail = http.StatusConflict, "This webhook has been here before."
	case errors.Is(err, ErrMissing), errors.Is(err, ErrMalformed), errors.Is(err, ErrSignature), errors.Is(err, ErrTime):
		status, detail = http.StatusForbidden, "The signature of the webhook does not hold."
	}
	problem.Write(w, r, problem.Details{Status: status, Detail: detail, ID: e.ID()})
}
