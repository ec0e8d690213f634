package command

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlanTrust(t *testing.T) {
	only := func(folder string) func(string) bool { return func(name string) bool { return name == folder } }
	for _, tt := range []struct {
		system  string
		present func(string) bool
		copy    string
		run     string
	}{
		{"linux", only("/usr/local/share/ca-certificates"), "/usr/local/share/ca-certificates/rws-local.crt", "update-ca-certificates"},
		{"linux", only("/etc/pki/ca-trust/source/anchors"), "/etc/pki/ca-trust/source/anchors/rws-local.pem", "update-ca-trust"},
		{"linux", only(""), "", ""},
		{"darwin", only(""), "", "security"},
		{"windows", only(""), "", "certutil"},
		{"plan9", only(""), "", ""},
	} {
		p := planTrust(tt.system, "root.pem", tt.present)
		assert.Equal(t, tt.copy, p.copy, tt.system)
		if tt.run == "" {
			assert.Nil(t, p.run, tt.system)
			continue
		}
		assert.Equal(t, tt.run, p.run[0], tt.system)
	}
}

// program is a command that works as the Unix program of that name, on every system: this test again, see
// TestProgram.
func program(t *testing.T, name string, args ...string) []string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return slices.Concat([]string{self, "-test.run=^TestProgram$", "--", name}, args)
}

// TestProgram is what program starts; in a run of tests it has nothing to do.
func TestProgram(t *testing.T) {
	i := slices.Index(os.Args, "--")
	if i < 0 {
		return
	}
	switch args := os.Args[i+1:]; args[0] {
	case "true":
	case "false":
		os.Exit(1)
	case "cat":
		text, err := os.ReadFile(args[1])
		require.NoError(t, err)
		_, _ = os.Stdout.Write(text) // the other side looks
	}
	os.Exit(0) // before the test framework says that all is well
}

func TestInstallRoot(t *testing.T) {
	folder := t.TempDir()
	root, to := filepath.Join(folder, "root.pem"), filepath.Join(folder, "store.crt")
	require.NoError(t, os.WriteFile(root, []byte("ROOT"), 0o600))
	var out, errs bytes.Buffer
	term := &terminal{out: &out, err: &errs}
	require.NoError(t, term.installRoot(trustPlan{file: root, copy: to, run: program(t, "cat", to)}))
	assert.Equal(t, "ROOT", errs.String(), "the program ran before the root was there")
	assert.Contains(t, out.String(), "trusts it now")

	assert.Error(t, term.installRoot(trustPlan{file: root, run: program(t, "false")}))
	assert.Error(t, term.installRoot(trustPlan{file: root}))
	assert.Error(t, term.installRoot(trustPlan{file: root, copy: filepath.Join(folder, "none", "x"), run: program(t, "true")}))
}
