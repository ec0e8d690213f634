package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// oneLine is a script that a command makes, in place of a file.
type oneLine struct {
	file   string // its name; its folder is the app's
	script string
	what   string // what it serves, for the banner
}

// folderScript serves the files of a folder without a script.
const folderScript = `app:static("/", ".", { list = true })`

func (t *terminal) serveCommand() *cobra.Command {
	var spa, noList bool
	cmd := &cobra.Command{
		Use:   "serve [folder]",
		Short: "Serve the files of a folder, without a script",
		Long: `Serves the files of a folder, this one unless another is named: with index.html, ranges,
ETag, and lists of what is in a folder without an index. Names that begin with a dot are
not served.`,
		Example: "  rws serve ./public\n  rws serve dist --spa --port 8080\n  rws serve . --listen :8080   for other machines too",
		Args:    arguments(0, 1),
	}
	flags := settingFlags(cmd)
	cmd.Flags().BoolVar(&spa, "spa", false, "answer paths that are no file with index.html, for apps that route in the browser")
	cmd.Flags().BoolVar(&noList, "no-list", false, "do not list folders")
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		folder := "."
		if len(args) > 0 {
			folder = args[0]
		}
		info, err := os.Stat(folder)
		if err != nil {
			return fmt.Errorf("looking for the folder: %w", err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is a file; name its folder, or run it by `rws %s` if it is a script", folder, folder)
		}
		script := fmt.Sprintf(`app:static("/", ".", { list = %t, spa = %t })`, !noList, spa)
		return t.serveLine(oneLine{filepath.Join(folder, "app.lua"), script, "the files of " + folder}, flags())
	}
	return cmd
}

func (t *terminal) proxyCommand() *cobra.Command {
	var balance, health, strip, host string
	cmd := &cobra.Command{
		Use:   "proxy [listen] backend...",
		Short: "Pass requests on to backends, without a script",
		Long: `Passes every request on to a backend, or in turn to several: HTTP/1.1, HTTP/2, gRPC and
WebSocket. The first argument is the address to listen on, as ":8080"; without it, it is
that of the flags. Backends that fail get no requests for a while.`,
		Example: `  rws proxy :8080 http://127.0.0.1:9000
  rws proxy :8080 http://10.0.0.7:9000 http://10.0.0.8:9000 --balance least_conn --health /healthz
  rws proxy --port 8080 h2c://127.0.0.1:50051`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name a backend, as in `rws proxy :8080 http://127.0.0.1:9000`")
			}
			return nil
		},
	}
	flags := settingFlags(cmd)
	cmd.Flags().StringVar(&balance, "balance", "round_robin", "how backends are chosen: round_robin, random, p2c, least_conn, ip_hash or path_hash")
	cmd.Flags().StringVar(&health, "health", "", "path that tells whether a backend works, asked every 10 s")
	cmd.Flags().StringVar(&strip, "strip", "", "prefix of paths to leave out, as /api")
	cmd.Flags().StringVar(&host, "host-header", "", "Host for the backends: upstream, keep, or a name")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		given := flags()
		if !strings.Contains(args[0], "://") && !strings.HasPrefix(args[0], "unix:/") && len(args) > 1 {
			given["listen"], args = args[0], args[1:]
		}
		options := map[string]string{"balance": balance, "health": health, "strip": strip, "host": host}
		script, err := proxyScript(args, options)
		if err != nil {
			return err
		}
		return t.serveLine(oneLine{"app.lua", script, "proxy to " + strings.Join(args, ", ")}, given)
	}
	return cmd
}

// proxyScript is the script of rws proxy.
func proxyScript(backends []string, options map[string]string) (string, error) {
	var list []string
	for _, b := range backends {
		if strings.HasPrefix(b, ":") {
			return "", fmt.Errorf("%q is an address to listen on, which comes before the backends: rws proxy %s http://127.0.0.1:9000", b, b)
		}
		if !strings.Contains(b, ":/") {
			return "", fmt.Errorf("%q is no backend: write its URL, as http://%s", b, b)
		}
		quoted, err := quoteLua(b)
		if err != nil {
			return "", err
		}
		list = append(list, quoted)
	}
	var set []string
	for _, name := range []string{"balance", "health", "strip", "host"} {
		if options[name] == "" {
			continue
		}
		quoted, err := quoteLua(options[name])
		if err != nil {
			return "", err
		}
		set = append(set, name+" = "+quoted)
	}
	return fmt.Sprintf("app:proxy(\"/*\", { %s }, { %s })\n", strings.Join(list, ", "), strings.Join(set, ", ")), nil
}

var errQuote = errors.New("is not made of printable ASCII characters without quotes and backslashes")

// quoteLua writes a text as Lua does.
func quoteLua(text string) (string, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return "", fmt.Errorf("%q %w", text, errQuote)
	}
	return `"` + text + `"`, nil
}
