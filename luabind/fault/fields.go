package fault

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// fieldsShape is what Fields takes, for errors.
const fieldsShape = `messages by the name of the input field expected, as { email = "is taken" }, or a list as err.fields is`

// Fields reads the messages for input fields that a script gives: { email = "is taken" },
// { email = { code = "taken", message = "is taken" } }, or a list of { path =, code =, message = }
// as err.fields is. The code is "invalid" by default. They come ordered by path. What has another
// shape is an error, and the other fields are returned nevertheless.
func Fields(t *lua.LTable) (fields []Field, err error) {
	t.ForEach(func(key, v lua.LValue) {
		f, problem := fieldEntry(key, v)
		switch {
		case problem == "":
			fields = append(fields, f)
		case err == nil:
			err = fmt.Errorf("%s; %s", fieldsShape, problem)
		}
	})
	slices.SortStableFunc(fields, func(a, b Field) int { return strings.Compare(a.Path, b.Path) })
	return fields, err
}

// fieldEntry reads one entry, or says what is wrong with it.
func fieldEntry(key, v lua.LValue) (f Field, problem string) {
	f.Code = "invalid"
	path, named := key.(lua.LString)
	f.Path = string(path)
	label := fmt.Sprintf("element %s", key)
	if named {
		label = fmt.Sprintf("%q", f.Path)
	}
	if entry, ok := v.(*lua.LTable); ok {
		problem = f.fill(entry)
	} else if named && lua.LVCanConvToString(v) {
		f.Message = v.String()
	} else if named {
		problem = "is a " + v.Type().String()
	} else {
		problem = "has no name"
	}
	switch {
	case problem != "":
	case f.Path == "":
		problem = "has no path"
	case f.Message == "":
		problem = "has no message"
	}
	if problem != "" {
		return f, label + " " + problem
	}
	return f, ""
}

// fill takes what a table says of a field.
func (f *Field) fill(entry *lua.LTable) (problem string) {
	to := map[string]*string{"path": &f.Path, "code": &f.Code, "message": &f.Message}
	entry.ForEach(func(key, v lua.LValue) {
		text, isText := v.(lua.LString)
		switch p := to[key.String()]; {
		case problem != "":
		case p == nil:
			problem = fmt.Sprintf("has the key %q, there are path, code and message", key.String())
		case !isText:
			problem = fmt.Sprintf("has a %s as its %s", v.Type(), key)
		default:
			*p = string(text)
		}
	})
	return problem
}
