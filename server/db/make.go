package db

import "context"

// MakeOnce runs a "create … if not exists", up to three times: that of Postgres fails in several ways when
// another process makes the same thing at that moment, and then it is there.
func MakeOnce(ctx context.Context, d *DB, statement string) (err error) {
	for range 3 {
		_, err = d.Exec(ctx, statement)
		if err == nil || ctx.Err() != nil || CodeOf(err) == CodeConnection || CodeOf(err) == CodeDenied {
			return err
		}
	}
	return err
}
