package db

import "context"

// Create runs a statement like "create table if not exists …", and up to twice again when it failed: that
// of Postgres fails in several ways when another process makes the same thing at that moment, and then it
// is there. Not so after [CodeConnection] and [CodeDenied].
func (d *DB) Create(ctx context.Context, statement string) (err error) {
	for range 3 {
		_, err = d.Exec(ctx, statement)
		if err == nil || ctx.Err() != nil || CodeOf(err) == CodeConnection || CodeOf(err) == CodeDenied {
			return err
		}
	}
	return err
}
