package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"time"
)

// A line is the network connection below one of MySQL; that of other engines is empty. Closing rows,
// the driver reads all that are left, and whether the end of the context comes first is a matter of
// luck: a thousand million rows take minutes.
type line struct{ net.Conn }

type lineKey struct{}

// killWait is how long the server has to end a query.
const killWait = 5 * time.Second

// dialLine dials as the driver does, and tells the connector.
func dialLine(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addr)
	if l, ok := ctx.Value(lineKey{}).(*line); ok && err == nil {
		l.Conn = nc
	}
	return nc, err
}

// hangUp closes the line; it reports whether there is one.
func (l *line) hangUp() bool {
	if l == nil || l.Conn == nil {
		return false
	}
	_ = l.Conn.Close() // the driver closes it again
	return true
}

// A killer ends what the server does for a connection of MySQL. When a context ends the driver
// only closes the connection, and the server goes on computing until it has something to send.
type killer struct {
	id     int64
	server driver.Connector
}

func newKiller(ctx context.Context, conn driver.QueryerContext, server driver.Connector) (*killer, error) {
	rows, err := conn.QueryContext(ctx, "select connection_id()", nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var dest [1]driver.Value
	if err := rows.Next(dest[:]); err != nil {
		return nil, err
	}
	id, err := integerOf(dest[0], formNumber)
	if err != nil {
		return nil, err
	}
	n, ok := id.(int64)
	if !ok {
		return nil, fmt.Errorf("the server calls the connection %v, which is no number", id)
	}
	return &killer{id: n, server: server}, nil
}

// kill does its work beside the caller, who has given up waiting. It may come too late, and
// then does nothing.
func (k *killer) kill() {
	if k == nil {
		return
	}
	go func() { _ = k.killNow() }()
}

// killNow returns when the server has been told, or cannot be.
func (k *killer) killNow() error {
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	conn, err := k.server.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	able, ok := conn.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver lacks what this program needs of it")
	}
	_, err = able.ExecContext(ctx, fmt.Sprintf("kill query %d", k.id), nil)
	return err
}
