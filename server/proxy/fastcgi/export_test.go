package fastcgi

import (
	"log/slog"
	"net"
	"net/http"
)

// ReadAnswer reads what an application sends over conn.
func ReadAnswer(conn net.Conn, r *http.Request) (*http.Response, error) {
	c := &call{t: &Transport{o: Options{Logger: slog.New(slog.DiscardHandler)}}, conn: conn, request: r, stop: func() bool { return true }}
	return c.head()
}
