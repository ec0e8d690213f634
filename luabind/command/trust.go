package command

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"rws/server/certs/local"
)

func (t *terminal) trustCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust [app.lua]",
		Short: "Tell how to trust the certificates of the local authority",
		Long: `Shows the root of the authority that makes the certificates of app:tls { issuer =
"local" }, which it makes if there is none yet, and tells how to have this system and its
browsers trust it. Nothing is changed unless --install is given. Whoever has the key of
the root, which is beside it, can pass for any site here: trust it on machines for
development only.`,
		Example: "  rws trust app.lua --out root.pem\n  curl --cacert root.pem https://localhost:3000\n  sudo rws trust app.lua --install",
		Args:    arguments(0, 1),
	}
	out := cmd.Flags().String("out", "", "write the root to a `file`, in PEM form")
	install := cmd.Flags().Bool("install", false, "have this system trust it")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := t.openOrNone(args, nil)
		if err != nil {
			return err
		}
		folder, used := p.LocalAuthority()
		closeProgram(p)
		a, err := local.Open(folder)
		if err != nil {
			return t.complain(err, nil)
		}
		file := filepath.Join(folder, local.RootFile)
		sum := sha256.Sum256(a.Root().Raw)
		fmt.Fprintf(t.out, "root     %s\nname     %s\nsha-256  %s\nuntil    %s\n", file, a.Root().Subject.CommonName, hex.EncodeToString(sum[:]), a.Root().NotAfter.UTC().Format("2006-01-02"))
		if !used {
			fmt.Fprintf(t.out, "\nThe script does not use it yet: app:tls { issuer = \"local\" }\n")
		}
		if *out != "" {
			if err := copyFile(file, *out); err != nil {
				return t.complain(err, nil)
			}
			fmt.Fprintf(t.out, "\nwrote    %s\n", *out)
		}
		plan := planTrust(runtime.GOOS, file, exists)
		if !*install {
			t.explainTrust(plan)
			return nil
		}
		return t.installRoot(plan)
	}
	return command(cmd)
}

// A trustPlan is what has a system trust a root.
type trustPlan struct {
	file string   // the root
	copy string   // where to copy it first, "" for nowhere
	run  []string // then, nil where there is no way
}

// planTrust knows where systems keep roots. present reports whether a folder is there.
func planTrust(system, file string, present func(string) bool) trustPlan {
	p := trustPlan{file: file}
	switch system {
	case "linux":
		for _, place := range []struct{ folder, name, program string }{
			{"/usr/local/share/ca-certificates", "rws-local.crt", "update-ca-certificates"}, // Debian, Alpine
			{"/etc/pki/ca-trust/source/anchors", "rws-local.pem", "update-ca-trust"},        // Fedora
			{"/etc/ca-certificates/trust-source/anchors", "rws-local.pem", "update-ca-trust"},
		} {
			if present(place.folder) {
				p.copy, p.run = place.folder+"/"+place.name, []string{place.program}
				return p
			}
		}
	case "darwin":
		p.run = []string{"security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", "/Library/Keychains/System.keychain", file}
	case "windows":
		p.run = []string{"certutil", "-addstore", "-f", "ROOT", file}
	}
	return p
}

// explainTrust says what installRoot would do, and what it can't.
func (t *terminal) explainTrust(p trustPlan) {
	fmt.Fprintln(t.out)
	if p.run == nil {
		fmt.Fprintf(t.out, "It is not known where this system keeps roots: import %s by hand.\n", p.file)
	} else {
		fmt.Fprintln(t.out, "To trust it on this system (rws trust --install does the same):")
		if p.copy != "" {
			fmt.Fprintf(t.out, "  cp %s %s\n", p.file, p.copy)
		}
		fmt.Fprintf(t.out, "  %s\n", strings.Join(p.run, " "))
	}
	fmt.Fprintf(t.out, `
Firefox, and Chromium on Linux, have roots of their own: import the file in the settings,
under certificates, authorities.
For one program: curl --cacert %s https://localhost:3000
`, p.file)
}

// installRoot carries the plan out.
func (t *terminal) installRoot(p trustPlan) error {
	if p.run == nil {
		return t.complain(fmt.Errorf("installing the root: it is not known where this system keeps roots; import %s by hand", p.file), nil)
	}
	if p.copy != "" {
		err := copyFile(p.file, p.copy)
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w; the roots of the system belong to root: sudo rws trust --install", err)
		}
		if err != nil {
			return t.complain(err, nil)
		}
		fmt.Fprintf(t.out, "\nwrote    %s\n", p.copy)
	}
	cmd := exec.Command(p.run[0], p.run[1:]...)
	cmd.Stdout, cmd.Stderr = t.err, t.err
	if err := cmd.Run(); err != nil {
		return t.complain(fmt.Errorf("installing the root: %s: %w", strings.Join(p.run, " "), err), nil)
	}
	fmt.Fprintln(t.out, "this system trusts it now; programs that run already may have to be started again")
	return nil
}

// copyFile copies a root, for all to read.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("writing the root: %w", err)
	}
	return nil
}
