package luabind

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/router"
	"rws/server/schema"
)

// A spec is the table of a route that says what it takes and gives. It is data: the
// validation here and a description of the API read the same.
type spec struct {
	params  *schema.Object
	query   *schema.Object
	body    *schema.Object
	form    *schema.Object
	upload  *schema.Object
	returns int
	timeout time.Duration
	maxBody int64
	summary string
	limit   lua.LValue // nil without
	auth    []link
}

// specOptions are the keys of a spec table.
type specOptions struct {
	Params  *lua.LValue   `json:"params"`
	Query   *lua.LValue   `json:"query"`
	Body    *lua.LValue   `json:"body"`
	Form    *lua.LValue   `json:"form"`
	Upload  *lua.LValue   `json:"upload"`
	Returns int           `json:"returns"`
	Timeout time.Duration `json:"timeout"`
	MaxBody bind.Size     `json:"max_body"`
	Summary string        `json:"summary"`
	Limit   lua.LValue    `json:"limit"`
	Auth    lua.LValue    `json:"auth"`
}

// zero reports whether a limit is none, which would be taken for one that was left out.
func (o *specOptions) zero(name string) bool {
	return name == "timeout" && o.Timeout <= 0 || name == "max_body" && o.MaxBody <= 0
}

// parseSpec reads a spec table.
func parseSpec(L *lua.LState, t *lua.LTable) (*spec, error) {
	var o specOptions
	if err := bind.Decode(L, t, &o); err != nil {
		return nil, err
	}
	for _, name := range []string{"timeout", "max_body"} {
		if v, ok := t.RawGetString(name).(lua.LString); ok && o.zero(name) {
			return nil, fmt.Errorf("option %q: %q: it must be more than nothing; leave it out for the app's own", name, string(v))
		}
	}
	s := &spec{returns: o.Returns, timeout: o.Timeout, maxBody: int64(o.MaxBody), summary: o.Summary, limit: o.Limit}
	auth, err := authOf(L, o.Auth)
	if err != nil {
		return nil, err
	}
	s.auth = auth
	if o.Returns != 0 && (o.Returns < 200 || o.Returns > 399) {
		return nil, fmt.Errorf("option \"returns\": a status from 200 to 399 expected, got %d", o.Returns)
	}
	if o.Body != nil && (o.Form != nil || o.Upload != nil) {
		return nil, errors.New("a request has a \"body\" (JSON) or a \"form\" and \"upload\", not both")
	}
	for _, part := range []struct {
		name   string
		value  *lua.LValue
		to     **schema.Object
		source schema.Source
	}{
		{"params", o.Params, &s.params, schema.Text}, {"query", o.Query, &s.query, schema.Text},
		{"body", o.Body, &s.body, schema.JSON}, {"form", o.Form, &s.form, schema.Form},
		{"upload", o.Upload, &s.upload, schema.Form},
	} {
		if part.value == nil {
			continue
		}
		object, err := objectOf(part.name, *part.value)
		if err == nil {
			err = object.Fits(part.source)
		}
		if err == nil && part.name == "upload" {
			err = onlyFiles(object)
		}
		if err != nil {
			return nil, fmt.Errorf("option %q: %w", part.name, err)
		}
		*part.to = object
	}
	return s, nil
}

// suits reports parts of the spec that no request of the method has (RFC 9110 §9.3.1).
func (s *spec) suits(method string) error {
	if method != http.MethodGet && method != http.MethodHead {
		return nil
	}
	for name, part := range map[string]*schema.Object{"body": s.body, "form": s.form, "upload": s.upload} {
		if part != nil {
			return fmt.Errorf("option %q: a %s request has no body; take the values from the query, or use app:post", name, method)
		}
	}
	return nil
}

// onlyFiles reports fields of an upload that are no files.
func onlyFiles(o *schema.Object) error {
	for f := range o.Fields() {
		inner := f
		if f.Items != nil {
			inner = f.Items
		}
		if inner.Type != schema.TypeFile {
			return fmt.Errorf("field %q: an upload has files only, as \"file image/* ..2mb\"; put other fields into \"form\"", f.Name)
		}
	}
	return nil
}

// mistaken finds the field or option that an error of a spec is about.
var mistaken = regexp.MustCompile(`(?:field|option) "([^"]+)"`)

// placeOf is where the field stands that err is about, the call itself, at, when that can't be
// told.
func (s *state) placeOf(at string, err error) string {
	i := strings.LastIndexByte(at, ':')
	names := mistaken.FindAllStringSubmatch(err.Error(), -1)
	if i < 0 || names == nil {
		return at
	}
	line, _ := strconv.Atoi(at[i+1:])
	text, _ := s.program.Source(at[:i])
	field := names[len(names)-1][1] // "a.b" is b in the table a
	value := ""
	if e, ok := errors.AsType[*schema.SyntaxError](err); ok {
		value = e.Spec
	}
	if found := fault.FieldLine(text, line, field[strings.LastIndexByte(field, '.')+1:], value); found > 0 {
		return fmt.Sprintf("%s:%d", at[:i], found)
	}
	return at
}

// fits reports parameters of the spec that the pattern does not have.
func (s *spec) fits(p *router.Pattern) error {
	if s.params == nil {
		return nil
	}
	var names []string
	for _, info := range p.Params() {
		names = append(names, info.Name)
	}
	for f := range s.params.Fields() {
		if !slices.Contains(names, f.Name) {
			return fmt.Errorf("%s has no parameter %q%s", p, f.Name, didYouMean(f.Name, names))
		}
	}
	return nil
}

// parseObject reads a table of fields; a nested table is an object, whose element [1] may
// say more, as in { "[object] 1..50", title = "string" }.
func parseObject(t *lua.LTable) (*schema.Object, error) {
	if err := onlyNames(t); err != nil {
		return nil, err
	}
	var fields []*schema.Field
	for _, name := range bind.Keys(t) {
		var f *schema.Field
		var err error
		switch v := t.RawGetString(name).(type) {
		case lua.LString:
			f, err = schema.ParseField(name, string(v))
		case *lua.LTable:
			f, err = parseNested(name, v)
		case *lua.LUserData:
			made, ok := v.Value.(*schemaField)
			if !ok {
				return nil, fmt.Errorf("field %q: a type such as \"string 1..20\" or a field of rws.schema expected, got %s", name, v.Type())
			}
			f, err = made.field(name)
		default:
			err = fmt.Errorf("field %q: a type such as \"string 1..20\" or a table of fields expected, got %s", name, v.Type())
		}
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return schema.NewObject(fields...)
}

// onlyNames reports what stands in a table of fields without a name, as { "string" }; element [1]
// of a nested one, which parseNested takes, is its type.
func onlyNames(t *lua.LTable) (err error) {
	t.ForEach(func(key, v lua.LValue) {
		if _, named := key.(lua.LString); named || err != nil {
			return
		}
		text, isText := v.(lua.LString)
		switch {
		case key != lua.LNumber(1):
			err = fmt.Errorf("element [%s]: fields have names, as { title = \"string\" }", key)
		case !isText:
			err = fmt.Errorf("element [1]: a type such as \"[object] 1..50\" expected, got %s", v.Type())
		case text == "":
			err = errors.New("element [1]: a type such as \"[object] 1..50\" expected, got an empty string")
		}
	})
	return err
}

func parseNested(name string, t *lua.LTable) (*schema.Field, error) {
	object, err := parseObject(t)
	if err != nil {
		return nil, fmt.Errorf("field %q: %w", name, err)
	}
	kind := "object"
	if s, ok := t.RawGetInt(1).(lua.LString); ok {
		kind = string(s)
	}
	return schema.ParseNested(name, kind, object)
}

// validate checks the input against the spec and puts the values into c.params, c.query,
// c.input and c.files. All that is wrong is reported at once, as 422.
func (c *Ctx) validate(L *lua.LState, s *spec) {
	var bad []fault.Field
	note := func(errs schema.Errors) {
		for _, e := range errs {
			bad = append(bad, fault.Field{Path: e.Path, Code: string(e.Code), Message: e.Message})
		}
	}
	if s.params != nil {
		values, errs := s.params.CheckStrings(func(name string) []string {
			if v, ok := c.ex.Params.Get(name); ok {
				return []string{v}
			}
			return nil
		})
		note(errs)
		t := c.paramsTable(L)
		for name, v := range values {
			t.RawSetString(name, bind.FromGo(L, v))
		}
		c.fields[fieldParams] = t
	}
	if s.query != nil {
		q := c.queryOf(L)
		values, errs := s.query.CheckStrings(func(name string) []string { return q[name] })
		note(errs)
		c.fields[fieldQuery] = bind.FromGo(L, values)
	}
	switch {
	case s.body != nil:
		note(c.validateBody(L, s.body))
	case s.form != nil || s.upload != nil:
		note(c.validateForm(L, s))
	}
	if len(bad) > 0 {
		fault.Raise(L, &fault.Error{Code: "invalid", Status: http.StatusUnprocessableEntity, Message: "the input is not valid", Fields: bad})
	}
}

func (c *Ctx) validateBody(L *lua.LState, o *schema.Object) schema.Errors {
	if t := c.mediaType(); t != "application/json" && !strings.HasSuffix(t, "+json") {
		fault.Raise(L, &fault.Error{Code: "media_type", Status: http.StatusUnsupportedMediaType, Message: fmt.Sprintf("the body must be application/json, not %q", t)})
	}
	values, errs := o.Check(c.plainJSON(L))
	c.fields[fieldInput] = bind.FromGo(L, values)
	return errs
}

func (c *Ctx) validateForm(L *lua.LState, s *spec) schema.Errors {
	sent := c.parseForm(L)
	both := make(map[string]any)
	var all schema.Errors
	for _, o := range []*schema.Object{s.form, s.upload} {
		if o == nil {
			continue
		}
		values, errs := o.CheckForm(func(name string) []string { return sent.values[name] }, func(name string) []schema.File {
			var list []schema.File
			for _, h := range sent.files[name] {
				list = append(list, h)
			}
			return list
		})
		all = append(all, errs...)
		for name, v := range values {
			both[name] = v
		}
	}
	c.fields[fieldInput] = formInput(L, both)
	return all
}

// formInput is FromGo for values that may be files.
func formInput(L *lua.LState, values map[string]any) *lua.LTable {
	t := fresh(L, L.NewTable())
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch v := values[name].(type) {
		case *File:
			t.RawSetString(name, bind.New(L, fileType, v))
		case []any:
			list := fresh(L, L.NewTable())
			for _, x := range v {
				if f, ok := x.(*File); ok {
					list.Append(bind.New(L, fileType, f))
				} else {
					list.Append(bind.FromGo(L, x))
				}
			}
			t.RawSetString(name, bind.MarkArray(L, list))
		default:
			t.RawSetString(name, bind.FromGo(L, v))
		}
	}
	return t
}

func (c *Ctx) mediaType() string {
	t, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil {
		return c.r.Header.Get("Content-Type")
	}
	return t
}

// fileOfType describes c.files.name.
func fileOfType() bind.Type {
	return bind.Type{
		Name: fileType, As: "file",
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"name":  func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*File).Name()) },
			"size":  func(_ *lua.LState, self any) lua.LValue { return lua.LNumber(self.(*File).Size()) },
			"type":  func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*File).MediaType()) },
			"field": func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*File).field) },
		},
		Methods: []bind.Func{
			bind.RawWaitMethod("read()", fileRead),
			bind.RawWaitMethod("save(path)", fileSave),
		},
		String: func(self any) string { return self.(*File).Name() },
	}
}
