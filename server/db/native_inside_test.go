package db

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNativeFits(t *testing.T) {
	d, err := Open("sqlite:"+filepath.Join(t.TempDir(), "test.db"), Options{})
	require.NoError(t, err)
	defer d.Close()
	_, err = One(context.Background(), d, "select 1")
	require.NoError(t, err)
	r, err := d.read.readers.take(context.Background())
	require.NoError(t, err)
	defer func() { assert.NoError(t, d.read.readers.put(r)) }()
	p := r.prepared.take("select 1")
	require.NotNil(t, p)
	defer r.prepared.put(p)
	assert.NotNil(t, p.native, "this version of the SQLite driver looks different: see nativeOf")
}
