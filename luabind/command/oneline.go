package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rws/luabind"
	"rws/luabind/fault"
)

// oneLine is a script that a command makes, in place of a file. Its settings are those of flags and the
// environment, not of a .env in a folder that may be anybody's; it has no console, and makes nothing in that
// folder.
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
not served.

Settings are those of flags and of the environment: a .env in the folder is not read, and
nothing is made there. There is no console, so rws attach and rws upgrade do not find it;
SIGUSR2 replaces the program as well.`,
		Example: "  rws serve ./public\n  rws serve dist --spa --port 8080\n  rws serve . --listen :8080   for other machines too",
		Args:    arguments(0, 1),
	}
	flags := settingFlags(cmd, "console")
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
that of the flags. Backends that fail get no requests for a while.

For backends over h2c and grpc the proxy takes HTTP/2 without TLS too, as gRPC needs it;
--h2c=false does not. FastCGI, certificates by ACME and all else need a script: rws new.

Settings are those of flags and of the environment: a .env of this folder is not read, and
nothing is made here. There is no console, so rws attach and rws upgrade do not find it;
SIGUSR2 replaces the program as well.`,
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
	flags := settingFlags(cmd, "console")
	cmd.Flags().StringVar(&balance, "balance", "round_robin", "how backends are chosen: round_robin, random, p2c, least_conn, ip_hash or path_hash")
	cmd.Flags().StringVar(&health, "health", "", "path that tells whether a backend works, asked every 10 s")
	cmd.Flags().StringVar(&strip, "strip", "", "prefix of paths to leave out, as /api")
	cmd.Flags().StringVar(&host, "host-header", "", "Host for the backends: upstream, keep, or a name")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		given := flags()
		if !strings.Contains(args[0], "://") && !strings.HasPrefix(args[0], "unix:/") && len(args) > 1 {
			for _, name := range []string{"listen", "port", "host"} {
				if given[name] != "" {
					return fmt.Errorf("%q and --%s are both where to listen: leave one out", args[0], name)
				}
			}
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
		if strings.HasPrefix(b, "fastcgi:") {
			return "", fmt.Errorf("%q needs a script, which says where the scripts of the application are: rws doc rws.FastCgi", b)
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
	script := fmt.Sprintf("app:proxy(\"/*\", { %s }, { %s })\n", strings.Join(list, ", "), strings.Join(set, ", "))
	if slices.ContainsFunc(backends, speaksH2C) {
		script = "app:config { h2c = true }\n" + script // which a flag or a variable may take back
	}
	return script, nil
}

// speaksH2C reports whether a backend is spoken to over HTTP/2 without TLS, of which "dns+h2c" is a source.
func speaksH2C(backend string) bool {
	scheme, _, _ := strings.Cut(backend, ":")
	if _, inner, found := strings.Cut(scheme, "+"); found {
		scheme = inner
	}
	return scheme == "h2c" || scheme == "grpc"
}

// open loads the script. What is wrong with one that a command has made is wrong with the command line.
func (s *site) open() (*luabind.Program, error) {
	if s.source == "" {
		return s.load(s.options())
	}
	p, err := luabind.Load(s.options())
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return nil, s.misused(e)
	}
	return p, err
}

// place is where something stands, for people.
func (s *site) place(at string) string {
	if s.source != "" {
		return "the command line"
	}
	return at
}

// asFlags has names of the script in the words of the command line.
var asFlags = strings.NewReplacer(`app:proxy: `, "", `app:static: `, "", `upstream "/*": `, "", `option "to": `, "", `option "host": `, "--host-header: ",
	`option "balance": `, "--balance: ", `option "health": `, "--health: ", `health check: `, "--health: ", `strip: `, "--strip: ")

// misused is an error of the script in the words of the command line.
func (s *site) misused(e *fault.Error) error {
	var list []string
	for _, one := range split(e) {
		text := asFlags.Replace(one.Message)
		if one.Hint != "" {
			text += "; " + one.Hint
		}
		list = append(list, text)
	}
	return fmt.Errorf("reading the command line: %s", strings.Join(list, "; "))
}

var errQuote = errors.New("is not made of printable ASCII characters without quotes and backslashes")

// quoteLua writes a text as Lua does.
func quoteLua(text string) (string, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return "", fmt.Errorf("%q %w", text, errQuote)
	}
	return `"` + text + `"`, nil
}
