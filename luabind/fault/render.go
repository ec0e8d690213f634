package fault

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

const (
	maxText    = 60 // characters of a string or of what __tostring gives
	maxEntries = 8  // of a table
	maxValue   = 90 // characters of a value as a whole
	redacted   = "[redacted]"
)

// secretWords make a name that contains one of them a secret.
var secretWords = []string{
	"password", "passwd", "passphrase", "secret", "token", "authorization", "cookie", "session",
	"api_key", "apikey", "private_key", "credential",
}

// urlPassword finds the password in a URL, as of a database, whatever the variable is called. It goes on to the
// last "@": secrets of S3 often have a "/", which should have been written as %2F.
var urlPassword = pattern("(://[^/\\s:@]*:)(?:[^\\s\"'`<>]+@|[^/\\s@]+@)")

// portPath is a port and what follows it, as in http://h:80/a@b, and no password.
var portPath = pattern(`^\d{1,5}[/?#]`)

// hidePasswords puts hidden, made of their lengths, in the place of passwords.
func hidePasswords(text string, hidden func(length int) string) string {
	return urlPassword().ReplaceAllStringFunc(text, func(found string) string {
		kept := urlPassword().FindStringSubmatch(found)[1]
		password := found[len(kept) : len(found)-1]
		if portPath().MatchString(password) {
			return found
		}
		return kept + hidden(len(password)) + "@"
	})
}

// isSecret reports whether a variable, key or header of this name must not be shown.
func isSecret(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "pass" || strings.HasSuffix(name, "_pass")
}

// show is the value of something called name as short text on one line. It runs no Lua
// code; of a userdata it calls a __tostring that is a Go function.
func show(L *lua.LState, name string, v lua.LValue) string {
	if isSecret(name) && v != lua.LNil {
		return redacted
	}
	if t, ok := v.(*lua.LTable); ok {
		return cut(showTable(L, t), maxValue)
	}
	return showPlain(L, v)
}

func showPlain(L *lua.LState, v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return quote(hidePasswords(string(v), func(int) string { return redacted }))
	case *lua.LTable:
		if v.Len() == 0 && next(v, lua.LNil) == lua.LNil {
			return "{}"
		}
		return "{…}"
	case *lua.LFunction:
		if v.IsG {
			return "function of rws"
		}
		return fmt.Sprintf("function %s:%d", strings.TrimPrefix(v.Proto.SourceName, "="), v.Proto.LineDefined)
	case *lua.LUserData:
		return showUserdata(L, v)
	case *lua.LState:
		return "coroutine"
	}
	return v.String()
}

// next returns the key after key, nil after the last.
func next(t *lua.LTable, key lua.LValue) lua.LValue {
	k, _ := t.Next(key)
	return k
}

// showTable lists the first entries in the order in which the script made them.
func showTable(L *lua.LState, t *lua.LTable) string {
	var parts []string
	listed := 0
	for key, v := t.Next(lua.LNil); key != lua.LNil; key, v = t.Next(key) {
		if len(parts) == maxEntries {
			parts = append(parts, "…")
			break
		}
		name, isText := key.(lua.LString)
		n, isNumber := key.(lua.LNumber)
		text := showPlain(L, v)
		if isText && isSecret(string(name)) {
			text = redacted
		}
		switch {
		case isNumber && int(n) == listed+1 && lua.LNumber(int(n)) == n:
			listed++
			parts = append(parts, text)
		case isText && isName(string(name)):
			parts = append(parts, string(name)+" = "+text)
		default:
			parts = append(parts, "["+showPlain(L, key)+"] = "+text)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func showUserdata(L *lua.LState, ud *lua.LUserData) string {
	if e, ok := ud.Value.(*Error); ok {
		return quote(e.Error())
	}
	mt, ok := ud.Metatable.(*lua.LTable)
	if !ok {
		return "userdata"
	}
	fn, ok := mt.RawGetString("__tostring").(*lua.LFunction)
	if !ok || !fn.IsG {
		return "userdata"
	}
	L.Push(fn)
	L.Push(ud)
	if err := L.PCall(1, 1, nil); err != nil {
		return "userdata"
	}
	text := L.Get(-1)
	L.Pop(1)
	return cut(strings.ToValidUTF8(strings.Join(strings.Fields(text.String()), " "), "\uFFFD"), maxText)
}

// locals writes down the variables that f can see, the parameters first. A variable
// that another one of the same name hides is left out.
func locals(L *lua.LState, f frame) []Local {
	if f.isGo() || f.pc < 0 {
		return nil
	}
	var out []Local
	seen := make(map[string]int)
	for r := range int(f.fn.Proto.NumUsedRegisters) {
		name := localName(f.fn.Proto, f.pc, r)
		if name == "" {
			break
		}
		if name[0] == '(' || name == "_" || name == "arg" && r == parameters(f.fn.Proto) {
			continue
		}
		l := Local{Name: name, Value: show(L, name, f.local(r))}
		if at, ok := seen[name]; ok {
			out[at] = l
			continue
		}
		seen[name] = len(out)
		out = append(out, l)
	}
	return out
}
