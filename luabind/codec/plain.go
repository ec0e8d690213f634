package codec

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// checkEvery is after how many values a decoder or an encoder asks whether it must end. The
// fraction of a millisecond between is less than the watchdog's tick.
const checkEvery = 1024

// DecodePlain is Decode without Lua: it returns nil, bool, string, int64, float64,
// json.Number (for what those two would round), []any and map[string]any. It ends with
// ctx's cause when ctx does. It needs no isolate, and so no lock: 100,000 values take 20 ms.
func DecodePlain(ctx context.Context, data []byte, l Limits) (any, error) {
	if limit := orDefault(l.MaxBytes, DefaultBytes); len(data) > limit {
		return nil, tooLong(limit)
	}
	p := plain{ctx: ctx, depth: min(orDefault(l.MaxDepth, DefaultDepth), maxDepth), limit: orDefault(l.MaxItems, DefaultItems)}
	p.data, p.source = data, *bytes.NewBuffer(data)
	p.tokens.Reset(&p.source)
	token, err := p.tokens.ReadToken()
	if err != nil {
		return nil, p.syntaxError(err)
	}
	v, err := p.value(token)
	if err != nil {
		return nil, err
	}
	return v, p.end()
}

// plain decodes to Go values.
type plain struct {
	decoder
	ctx          context.Context
	depth, limit int
}

func (p *plain) value(token jsontext.Token) (any, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		return p.number(token.String())
	case jsontext.KindTrue:
		return true, nil
	case jsontext.KindFalse:
		return false, nil
	case jsontext.KindNull:
		return nil, nil
	}
	if p.tokens.StackDepth() > p.depth {
		return nil, tooDeep(p.depth)
	}
	if token.Kind() == jsontext.KindBeginArray {
		return p.list()
	}
	return p.object()
}

// count counts a value.
func (p *plain) count() error {
	if p.items++; p.items > p.limit {
		return tooMany(p.limit)
	}
	if p.items%checkEvery == 0 && p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	return nil
}

func (p *plain) list() (any, error) {
	list := []any{}
	for {
		token, err := p.tokens.ReadToken()
		if err != nil {
			return nil, p.syntaxError(err)
		}
		if token.Kind() == jsontext.KindEndArray {
			return list, nil
		}
		v, err := p.value(token)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (p *plain) object() (any, error) {
	members := make(map[string]any)
	for {
		token, err := p.tokens.ReadToken()
		if err != nil {
			return nil, p.syntaxError(err)
		}
		if token.Kind() == jsontext.KindEndObject {
			return members, nil
		}
		name := strings.Clone(token.String())
		if token, err = p.tokens.ReadToken(); err != nil {
			return nil, p.syntaxError(err)
		}
		if members[name], err = p.value(token); err != nil {
			return nil, err
		}
	}
}

func (p *plain) number(s string) (any, error) {
	if isInteger(s) {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		return json.Number(strings.Clone(s)), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, p.errorAt(int(p.tokens.InputOffset())-len(s), "the number "+cut(s)+" is too large")
	}
	return f, nil
}

func tooMany(limit int) error { return &LimitError{fmt.Sprintf("JSON of more than %d values", limit)} }

func tooDeep(limit int) error {
	return &LimitError{fmt.Sprintf("JSON nested more than %d deep", limit)}
}
