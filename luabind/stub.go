package luabind

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

// stubs are the answers that a test has for the requests of rws.http. They are the whole
// network: what has no stub fails.
type stubs struct {
	isolate *vm.Isolate
	mu      sync.Mutex
	list    []stub
}

type stub struct {
	url    string
	answer *Answer
	fn     *lua.LFunction
}

func (s *stubs) add(st stub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, st)
}

// find returns the newest stub for a URL.
func (s *stubs) find(url string) (stub, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.list) - 1; i >= 0; i-- {
		prefix, wild := strings.CutSuffix(s.list[i].url, "*")
		if url == s.list[i].url || wild && strings.HasPrefix(url, prefix) {
			return s.list[i], true
		}
	}
	return stub{}, false
}

// RoundTrip answers a request of rws.http.
func (s *stubs) RoundTrip(r *http.Request) (*http.Response, error) {
	st, ok := s.find(r.URL.String())
	if !ok {
		return nil, noStub(r)
	}
	body, err := bodyOf(r) // also where nobody asks for it: a mirror copies what is sent
	if err != nil {
		return nil, err
	}
	a := st.answer
	if st.fn != nil {
		if a, err = s.call(st.fn, r, body); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)), StatusCode: a.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.Header.Clone(),
		Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: int64(len(a.Body)), Request: r,
	}, nil
}

// bodyOf reads the body of a request and closes it.
func bodyOf(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	return body, errors.Join(err, r.Body.Close())
}

func noStub(r *http.Request) error {
	return fmt.Errorf("a test has no network: add t:stub(%q, { status = 200, … }) for this %s", r.URL.String(), r.Method)
}

// call asks the test's function for the answer. The isolate is free: the script waits.
func (s *stubs) call(fn *lua.LFunction, r *http.Request, body []byte) (a *Answer, err error) {
	run := &vm.Run{Context: r.Context()}
	run.SetDeadline(time.Now().Add(testTime))
	err = s.isolate.Do(run, func(L *lua.LState) error {
		q := L.NewTable()
		q.RawSetString("method", lua.LString(r.Method))
		q.RawSetString("url", lua.LString(r.URL.String()))
		q.RawSetString("body", lua.LString(body))
		header := r.Header.Clone()
		header.Set("Host", cmp.Or(r.Host, r.URL.Host)) // where it is on the wire
		q.RawSetString("headers", headerTable(L, header))
		v, err := vm.Call(L, fn, q)
		if err != nil {
			return err
		}
		t, ok := v.(*lua.LTable)
		if !ok {
			return &fault.Error{Code: "argument", At: functionAt(fn), Message: fmt.Sprintf("the function of t:stub returned a %s, a table { status = , json = } was expected", v.Type())}
		}
		_, err = vm.Call(L, L.NewFunction(func(L *lua.LState) int { a = stubAnswer(L, t); return 0 }))
		return err
	})
	return a, err
}

// refuseNetwork fails every request: it is there while a script with tests loads.
type refuseNetwork struct{}

func (refuseNetwork) RoundTrip(r *http.Request) (*http.Response, error) { return nil, noStub(r) }
