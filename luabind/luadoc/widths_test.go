package luadoc_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/luadoc"
)

func TestAWideTypeIsShownWhereAllTypesAreWide(t *testing.T) {
	p, err := luadoc.ParseFS(fstest.MapFS{"a.lua": {Data: []byte("---@meta\n\n---Answers.\n---@param fn fun(c: rws.Context, err: rws.Error): any the function\nfunction answers(fn) end\n")}})
	require.NoError(t, err)
	s, ok := p.Lookup("answers")
	require.True(t, ok)
	assert.Contains(t, luadoc.Text(s, 0, false), "fun(c: rws.Context, err: rws.Error): any")
}
