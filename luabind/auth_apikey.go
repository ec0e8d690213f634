package luabind

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/auth/apikey"
)

// apiKeyModule is rws.api_key.
func apiKeyModule() bind.Module {
	return bind.Module{Name: "rws.api_key", Funcs: []bind.Func{
		bind.Raw("generate(prefix?)", apiKeyGenerate),
		bind.Call1("hash(key)", func(key string) (string, error) {
			if _, err := apikey.ParseID(key); err != nil {
				return "", err
			}
			return apikey.Hash(key), nil
		}),
	}}
}

func apiKeyGenerate(L *lua.LState) int {
	const name = "rws.api_key.generate"
	key, r, err := apikey.Generate(bind.Arg[bind.Opt[string]](L, name, 1).Value)
	if err != nil {
		bind.Raise(L, name, err)
	}
	L.Push(lua.LString(key))
	L.Push(bind.FromGo(L, map[string]any{"id": r.ID, "hash": r.Hash}))
	return 2
}

// apiKeyOptions are the options of rws.auth.api_key.
type apiKeyOptions struct {
	Keys   *lua.LTable    `json:"keys"`
	Lookup *lua.LFunction `json:"lookup"`
	Header string         `json:"header"`
	Query  string         `json:"query"`
	Scopes []string       `json:"scopes"`
}

// apiKeyRecord is what is kept of a key.
type apiKeyRecord struct {
	ID      string     `json:"id"`
	Hash    string     `json:"hash"`
	Name    string     `json:"name"`
	Scopes  []string   `json:"scopes"`
	Expires lua.LValue `json:"expires"`
}

// authAPIKey is rws.auth.api_key.
func authAPIKey(L *lua.LState) int {
	o := guardOptions[apiKeyOptions](L, "rws.auth.api_key", 1)
	callback := -1
	if o.Lookup != nil {
		callback = stateOf(L).keepCallback(o.Lookup)
	}
	return guard(L, "auth.api_key", scoped{scopes: o.Scopes}.label("auth.api_key"), func(p *Program) (wrapper, error) {
		lookup, err := p.keyLookup(L, o, callback)
		if err != nil {
			return nil, err
		}
		return apikey.New(apikey.Options{Lookup: lookup, Header: o.Header, Query: o.Query, Scopes: o.Scopes})
	})
}

// keyLookup is the list or the function.
func (p *Program) keyLookup(L *lua.LState, o apiKeyOptions, callback int) (apikey.Lookup, error) {
	switch {
	case o.Keys != nil && o.Lookup != nil:
		return nil, badOption("lookup", "give a list of keys or a function, not both")
	case o.Lookup != nil:
		return func(ctx context.Context, id string) (*apikey.Record, error) { return p.lookUpKey(ctx, callback, id) }, nil
	case o.Keys == nil:
		return nil, errors.New(`no keys: give keys, a list of { id = , hash = }, or lookup, a function(id) that returns such a record`)
	}
	var records []apikey.Record
	for n := 1; n <= o.Keys.Len(); n++ {
		t, ok := o.Keys.RawGetInt(n).(*lua.LTable)
		if !ok {
			return nil, badOption("keys", "element %d: a record { id = , hash = , name = , scopes = , expires = } expected, got a %s; rws.api_key.generate makes key and record",
				n, o.Keys.RawGetInt(n).Type())
		}
		var r apiKeyRecord
		err := bind.Decode(L, t, &r)
		if err != nil {
			return nil, badOption("keys", "element %d: %w", n, err)
		}
		record, err := r.record(L)
		if err != nil {
			return nil, badOption("keys", "element %d: %w", n, err)
		}
		records = append(records, record)
	}
	lookup, err := apikey.List(records...)
	return lookup, atOption("keys", err)
}

// record is that of the engine.
func (r apiKeyRecord) record(L *lua.LState) (apikey.Record, error) {
	expires, err := expiry(L, r.Expires)
	return apikey.Record{ID: r.ID, Hash: r.Hash, Name: r.Name, Scopes: r.Scopes, Expires: expires}, err
}

// lookUpKey asks the script for a record: a table with other fields too, such as the row of a
// database, whose scopes may be one text.
func (p *Program) lookUpKey(ctx context.Context, callback int, id string) (record *apikey.Record, err error) {
	give := func(*lua.LState, *Ctx) []lua.LValue { return []lua.LValue{lua.LString(id)} }
	err = p.call(ctx, callback, newCtx(nil, nil, nil, nil), give, func(L *lua.LState, v lua.LValue) error {
		if v == lua.LNil || v == lua.LFalse || bind.IsNull(L, v) {
			return nil
		}
		t, ok := v.(*lua.LTable)
		if !ok {
			return fmt.Errorf("the function returned a %s; a record { hash = , name = , scopes = } or nil was expected", v.Type())
		}
		record, err = rowOfKey(L, t, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lookup of rws.auth.api_key: %w", err)
	}
	return record, nil
}

// rowOfKey reads a record that may have more fields than those.
func rowOfKey(L *lua.LState, t *lua.LTable, id string) (*apikey.Record, error) {
	r := apiKeyRecord{ID: id}
	known := L.NewTable()
	for _, name := range bind.Names(apiKeyRecord{}) {
		if v := t.RawGetString(name); !bind.IsNull(L, v) {
			known.RawSetString(name, v)
		}
	}
	if text, ok := known.RawGetString("scopes").(lua.LString); ok {
		known.RawSetString("scopes", bind.Strings(L, strings.Fields(string(text))))
	}
	if err := bind.Decode(L, known, &r); err != nil {
		return nil, fmt.Errorf("the record: %w", err)
	}
	if r.Hash == "" {
		return nil, errors.New("the record has no hash: keep that which rws.api_key.generate returned")
	}
	record, err := r.record(L)
	return &record, err
}

// expiry reads when a key ends: a time, or a text as 2027-01-31 or as databases write times, in
// UTC.
func expiry(L *lua.LState, v lua.LValue) (time.Time, error) {
	if v == nil || v == lua.LNil || bind.IsNull(L, v) {
		return time.Time{}, nil
	}
	if t, ok := userdata[Time](v); ok {
		return t.at, nil
	}
	if text, ok := v.(lua.LString); ok {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", time.DateTime, time.DateOnly} {
			if at, err := time.Parse(layout, string(text)); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, badOption("expires", `a time of rws.time, or a text such as "2027-01-31" or "2027-01-31T12:00:00Z" expected, got %s`, v)
}
