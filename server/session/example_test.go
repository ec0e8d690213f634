package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"rws/server/session"
)

func ExampleManager() {
	sessions, err := session.New(session.Options{Store: session.NewMemory(0)})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()
	login := func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Start(r.Header, r.TLS != nil)
		if err := s.Set(r.Context(), "uid", 7); err != nil { // a new id, since the user changes
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		if err := s.Save(r.Context(), w.Header()); err != nil { // before the header goes out
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
	w := httptest.NewRecorder()
	login(w, httptest.NewRequest("POST", "https://example.com/login", nil))
	fmt.Println(w.Result().Cookies()[0].Name, w.Result().Cookies()[0].HttpOnly)
	// Output: __Host-rws_sid true
}
