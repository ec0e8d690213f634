package luabind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server"
	"rws/server/middleware"
)

// readBody returns the whole body, reading it on the first call.
func (c *Ctx) readBody(L *lua.LState) []byte {
	c.notStreamed(L, "c.body")
	b := c.bodyBy(c)
	if b.read {
		return b.text
	}
	b.read = true
	if c.r.Body == nil || c.r.Body == http.NoBody {
		return nil
	}
	var text []byte
	err := c.reading(L, func() (err error) {
		text, err = io.ReadAll(c.r.Body)
		return err
	})
	b.text = text
	if err != nil {
		fault.Raise(L, bodyError(err))
	}
	return text
}

// reading calls f, which reads the body, with the lock released, and ends the reads at the
// deadline: of a client who sends nothing more, or a byte now and then.
func (c *Ctx) reading(L *lua.LState, f func() error) error {
	inTime := false // has it begun, or the handler has nobody to blame
	err := vm.Wait(L, func(ctx context.Context) error {
		c.ex.BodyUntil, _ = ctx.Deadline()
		if inTime = ctx.Err() == nil; !inTime {
			return context.Cause(ctx)
		}
		err := f()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx) // what the read says is a consequence
		case errors.Is(err, context.DeadlineExceeded): // the read was first to notice
			return vm.ErrDeadline
		}
		return err
	})
	if inTime && errors.Is(err, vm.ErrDeadline) {
		return errLateBody
	}
	return err
}

// errLateBody is about a client that uses up the timeout of its request with sending it.
var errLateBody = fmt.Errorf("%w: the timeout of this request has passed", server.ErrSlowBody)

// bodyError is a client's fault: too large, too slow or broken off.
func bodyError(err error) *fault.Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &fault.Error{Code: "too_large", Status: http.StatusRequestEntityTooLarge, Cause: err,
			Message: fmt.Sprintf("the request body is larger than %s", bind.Size(tooLarge.Limit))}
	}
	if ratio, ok := errors.AsType[*middleware.RatioError](err); ok {
		return &fault.Error{Code: "too_large", Status: ratio.HTTPStatus(), Message: ratio.Error(), Cause: err}
	}
	if errors.Is(err, vm.ErrDeadline) {
		return &fault.Error{Code: "timeout", Status: http.StatusGatewayTimeout, Message: err.Error(), Cause: err}
	}
	if errors.Is(err, server.ErrSlowBody) {
		return &fault.Error{Code: "timeout", Status: http.StatusRequestTimeout, Message: err.Error(), Cause: err}
	}
	if mine, ok := errors.AsType[*unreadableError](err); ok {
		return &fault.Error{Code: "body", Message: mine.Error(), Cause: err}
	}
	return &fault.Error{Code: "body", Status: http.StatusBadRequest, Message: "the request body could not be read: " + err.Error(), Cause: err}
}

func contextReadJSON(L *lua.LState, c *Ctx) int {
	L.Push(contextOf(L, c).decodeJSON(L))
	return 1
}

// maxBodyItems bounds the values of a JSON body: a visitor shall not decide how much Lua has to
// hold. A handler that expects more can decode c.body by rws.json.decode.
const maxBodyItems = 100_000

func (c *Ctx) decodeJSON(L *lua.LState) lua.LValue {
	v, err := codec.Decode(L, c.readBody(L), codec.Limits{MaxItems: maxBodyItems})
	if err != nil {
		raiseJSON(L, err)
	}
	return v
}

// plainJSON is the body in Go values. Decoding a long one lets other requests run.
func (c *Ctx) plainJSON(L *lua.LState) (v any) {
	body := c.readBody(L)
	decode := func(ctx context.Context) (err error) {
		v, err = codec.DecodePlain(ctx, body, codec.Limits{MaxItems: maxBodyItems})
		return err
	}
	var err error
	if len(body) > shortText {
		err = vm.Wait(L, decode)
	} else {
		err = decode(context.Background())
	}
	if err != nil {
		raiseJSON(L, err)
	}
	return v
}

// shortText is how many bytes are worked through with the lock held: giving it away and getting
// it back takes as long.
const shortText = 64 << 10

// raiseJSON raises what is wrong with a JSON body.
func raiseJSON(L *lua.LState, err error) {
	if errors.Is(err, vm.ErrDeadline) {
		fault.Raise(L, bodyError(err))
	}
	fault.Raise(L, &fault.Error{Code: "json", Status: http.StatusBadRequest, Message: "the request body: " + err.Error(), Cause: err})
}
