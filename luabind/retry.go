package luabind

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"rws/server/proxy"
)

// retryOf says what is tried again: what the proxy says, or else the upstream.
func (u *Upstream) retryOf(o *proxyOptions) (proxy.Retry, error) {
	if o.Retry == nil && o.Retries == nil {
		return u.repeats(u.options.Retry, u.options.Retries)
	}
	return u.repeats(o.Retry, o.Retries)
}

// repeats are the options of the engine. A share of repetitions that the route does not have for itself is that
// of the upstream.
func (u *Upstream) repeats(given *retryOptions, times *int) (r proxy.Retry, err error) {
	r.Budget = u.budget
	if given != nil {
		if err := given.read(&r); err != nil {
			return r, err
		}
		if given.Budget != nil && given != u.options.Retry {
			if r.Budget, err = given.budget(); err != nil {
				return r, err
			}
		}
	}
	switch {
	case given != nil && given.Tries != nil && times != nil:
		return r, errors.New("it has tries, and there is retries: say it once")
	case given != nil && given.Tries != nil:
		r.Tries = *given.Tries
	case times != nil:
		r.Tries = *times + 1
	default:
		return r, nil
	}
	if r.Tries < 1 {
		return r, errors.New("a request is sent at least once: tries = 1, or retries = 0, never repeats it")
	}
	return r, nil
}

// read takes what is not about the number of tries.
func (o *retryOptions) read(r *proxy.Retry) error {
	switch {
	case o.On != nil && len(o.On) == 0:
		return errors.New("on is empty: tries = 1 never repeats a request")
	case o.Methods != nil && len(o.Methods) == 0:
		return errors.New("methods is empty: name some, or leave it out for GET, HEAD, OPTIONS, PUT and DELETE")
	}
	r.On = o.On
	if o.Backoff != nil {
		r.Backoff = cmp.Or(*o.Backoff, time.Nanosecond) // 0 would be the default
	}
	if err := checkMethods(o.Methods); err != nil {
		return err
	}
	for _, method := range o.Methods {
		r.Methods = append(r.Methods, strings.ToUpper(method))
	}
	if o.MaxReplay == nil {
		return nil
	}
	if r.MaxReplay = int(*o.MaxReplay); r.MaxReplay == 0 {
		r.MaxReplay = -1
	}
	return nil
}

// budget makes the share of repetitions.
func (o *retryOptions) budget() (*proxy.Budget, error) {
	if o == nil || o.Budget == nil {
		return proxy.NewBudget(proxy.DefaultBudget, proxy.DefaultBudgetLeast), nil
	}
	share, err := shareOf("budget", o.Budget)
	if err != nil {
		return nil, fmt.Errorf("option \"retry\": %w", err)
	}
	return proxy.NewBudget(share, proxy.DefaultBudgetLeast), nil
}
